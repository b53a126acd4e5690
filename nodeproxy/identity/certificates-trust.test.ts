import { generateKeyPairSync, X509Certificate } from "node:crypto";
import { afterEach, beforeEach, expect, jest, test } from "@jest/globals";
import type { TrustBundle } from "../../core/model/trust-bundle.ts";
import { certificateFingerprint } from "../../core/x509/fingerprint.ts";
import type { Authority } from "../../operator/ca/authority.ts";
import {
  CertificatesWorld,
  idOf,
  newAuthority,
  START,
  WEB,
} from "../../test/fakes/certificates-world.ts";
import type { ServedLeaf } from "../channel/messages.ts";

const HOUR_MS = 3_600_000;
const REFUSED = "certificate not renewed";

let world: CertificatesWorld;

beforeEach(async () => {
  jest.useFakeTimers({ now: START });
  world = new CertificatesWorld(await newAuthority());
});

afterEach(() => {
  world.certificates.close();
  jest.useRealTimers();
});

async function pass(ms: number): Promise<void> {
  await jest.advanceTimersByTimeAsync(ms);
}

/** The own bundle as two authorities stand in it: the next one signs from now on. */
function bundleOf(signing: Authority, other: Authority, part: Partial<TrustBundle> = {}): void {
  const roots = [...signing.bundle().roots, ...other.bundle().roots];
  const { issuer } = signing.bundle();
  world.bundles = [{ trustDomain: "cluster.local", roots, issuer, retired: [], ...part }];
  world.certificates.bundlesChanged();
}

function issuerOfLeaf(authority: Authority): string {
  const { chain } = authority.issueLeaf({
    publicKey: generateKeyPairSync("ec", { namedCurve: "P-256" }).publicKey.export({
      format: "der",
      type: "spki",
    }),
    identity: idOf(WEB),
    lifetimeSeconds: 60,
    now: Date.now(),
  });
  return certificateFingerprint(chain[1] ?? new Uint8Array());
}

async function servedByFirst(): Promise<readonly [Authority, Authority]> {
  world.certificates.need("uid-1", idOf(WEB));
  await pass(0);
  return [world.authority, await newAuthority()];
}

test.each([
  [0, 0],
  [0.3, 3_000],
  [0.999, 9_990],
])(
  "bundlesChanged(): with random %d a leaf of another issuer is asked for anew after %d ms, the old one served meanwhile",
  async (random, atMs) => {
    const [first, next] = await servedByFirst();
    world.random = random;
    world.authority = next;
    bundleOf(next, first, { issuer: issuerOfLeaf(next) });
    await pass(Math.max(0, atMs - 1));
    expect(world.served).toHaveLength(atMs === 0 ? 2 : 1);
    expect(world.dropped).toEqual([]);
    // Told again meanwhile: the wait does not begin anew.
    world.certificates.bundlesChanged();
    await pass(2);
    expect(world.served).toHaveLength(2);
    expect(world.certificates.report()[0]?.issuer).toBe(issuerOfLeaf(next));
    const asked = world.asked.length;
    await pass(60_000);
    expect(world.asked).toHaveLength(asked);
  },
);

test("bundlesChanged(): without a named issuer nothing is asked for anew", async () => {
  const [first, next] = await servedByFirst();
  bundleOf(next, first, { issuer: "" });
  await pass(60_000);
  expect(world.asked).toHaveLength(1);
});

test("certificates: a replica that lags is asked again with back-off, and its leaves are served", async () => {
  const [first, next] = await servedByFirst();
  bundleOf(next, first, { issuer: issuerOfLeaf(next) });
  const begun = Date.now();
  const times: number[] = [];
  world.fail = () => {
    times.push(Date.now() - begun);
    return undefined;
  };
  await pass(120_000);
  // At random 0.5: after 5 s, then three quarters of 1, 2, 4, 8 and then 15 s.
  expect(times.slice(0, 6)).toEqual([5_000, 5_750, 7_250, 10_250, 16_250, 27_500]);
  expect(times.length).toBeLessThan(16);
  expect(world.served).toHaveLength(times.length + 1);
  world.authority = next;
  await pass(15_000);
  expect(world.certificates.report()[0]?.issuer).toBe(issuerOfLeaf(next));
  const asked = world.asked.length;
  await pass(60_000);
  expect(world.asked).toHaveLength(asked);
});

test("certificates: a replica that lags gives no leaf of the issuer before for one of today's, as long as that has time", async () => {
  const [first, next] = await servedByFirst();
  world.authority = next;
  bundleOf(next, first, { issuer: issuerOfLeaf(next) });
  await pass(5_000);
  world.authority = first;
  await pass(0.6 * HOUR_MS);
  expect(world.logged.at(-1)).toMatchObject({ reason: "issued_by_older_issuer", msg: REFUSED });
  expect(world.certificates.report()[0]?.issuer).toBe(issuerOfLeaf(next));
  await pass(0.2 * HOUR_MS);
  expect(world.certificates.report()[0]?.issuer).toBe(issuerOfLeaf(first));
});

test("bundlesChanged(): a leaf of a retired issuer is asked for at once, and again until the operator gives another", async () => {
  const [first, next] = await servedByFirst();
  world.random = 0.999;
  const issuer = issuerOfLeaf(next);
  bundleOf(next, first, { issuer, retired: [issuerOfLeaf(first)] });
  await pass(0);
  expect(world.asked).toHaveLength(2);
  expect(world.logged.at(-1)).toMatchObject({ reason: "issuer_retired", msg: REFUSED });
  world.authority = next;
  await pass(250);
  expect(world.certificates.report()[0]?.issuer).toBe(issuer);
});

test("bundlesChanged(): with the operator away a leaf that lost its root is tried for until it is replaced", async () => {
  await servedByFirst();
  const next = await newAuthority();
  world.fail = () => Object.assign(new Error("away"), { reason: "operator_unreachable" });
  world.bundles = [next.bundle()];
  world.certificates.bundlesChanged();
  await pass(60_000);
  expect(world.asked.length).toBeGreaterThan(6);
  world.fail = undefined;
  world.authority = next;
  await pass(15_000);
  expect(world.served).toHaveLength(2);
});

test("restore(): a leaf of a retired issuer is not used", async () => {
  const [first] = await servedByFirst();
  const stored = world.certificates.leaves();
  world.bundles = [{ ...first.bundle(), retired: [issuerOfLeaf(first)] }];
  const restarted = world.create();
  world.served.length = 0;
  restarted.restore(stored);
  restarted.need("uid-1", idOf(WEB));
  expect(world.served).toEqual([]);
  restarted.close();
});

test("certificates: an operator that pushes back is not asked before, whatever happens meanwhile", async () => {
  world.random = 0;
  const error = Object.assign(new Error("busy"), { reason: "overloaded", retryAfterMs: 20_000 });
  world.fail = () => (world.asked.length === 1 ? error : undefined);
  world.certificates.need("uid-1", idOf(WEB));
  await pass(19_000);
  world.certificates.bundlesChanged();
  world.certificates.renewAll();
  await pass(999);
  expect(world.asked).toHaveLength(1);
  await pass(1);
  expect(world.served).toHaveLength(1);
});

test("certificates: nodes that are pushed back alike do not come back at once", async () => {
  world.random = 0.9;
  const error = Object.assign(new Error("busy"), { reason: "overloaded", retryAfterMs: 20_000 });
  world.fail = () => (world.asked.length === 1 ? error : undefined);
  world.certificates.need("uid-1", idOf(WEB));
  await pass(28_999);
  expect(world.asked).toHaveLength(1);
  await pass(1);
  expect(world.asked).toHaveLength(2);
});

const JUMP_MS = 600_000;

test.each([JUMP_MS, -JUMP_MS])(
  "certificates: after a jump of all clocks by %d ms the leaf is renewed by its half life, once",
  async (jumpMs) => {
    world.certificates.need("uid-1", idOf(WEB));
    await pass(60_000);
    jest.setSystemTime(Date.now() + jumpMs);
    await pass(30_000);
    expect(world.asked).toHaveLength(1);
    await pass(START + HOUR_MS / 2 - Date.now() - 1_000);
    expect(world.asked).toHaveLength(1);
    await pass(2_000);
    expect(world.served).toHaveLength(2);
    await pass(HOUR_MS / 2 - 2_000);
    expect(world.asked).toHaveLength(2);
    expect(world.dropped).toEqual([]);
  },
);

test.each([JUMP_MS, -JUMP_MS])(
  "certificates: a node whose own clock jumps by %d ms keeps its leaf and recovers as the clock does",
  async (jumpMs) => {
    world.certificates.need("uid-1", idOf(WEB));
    await pass(0);
    jest.setSystemTime(Date.now() + jumpMs);
    world.operatorAheadMs = -jumpMs;
    world.certificates.renewAll();
    await pass(60_000);
    expect(world.certificates.isServed("uid-1")).toBe(true);
    expect(world.dropped).toEqual([]);
    // Behind, what has just been issued is not valid yet by its clock, more than the five minutes of backdating.
    expect(world.served).toHaveLength(jumpMs < 0 ? 1 : 2);
    jest.setSystemTime(Date.now() - jumpMs);
    world.operatorAheadMs = 0;
    await pass(30_000);
    expect(world.served).toHaveLength(2);
    expect(world.dropped).toEqual([]);
  },
);

function serialOf(leaf: ServedLeaf | undefined): string {
  return new X509Certificate(leaf?.chainPem ?? "").serialNumber.toLowerCase();
}

test("revocationsChanged(): a leaf that was taken back counts no more and another is asked for at once", async () => {
  world.certificates.need("uid-1", idOf(WEB));
  await pass(0);
  world.revoked.add(serialOf(world.served[0]));
  expect(world.certificates.isServed("uid-1")).toBe(false);
  world.certificates.revocationsChanged();
  await pass(0);
  expect(world.served).toHaveLength(2);
  expect(world.certificates.isServed("uid-1")).toBe(true);
  world.certificates.revocationsChanged();
  await pass(0);
  expect(world.asked).toHaveLength(2);
});

test("need(): a pod that comes after a revocation waits for no attempt in the name of the one before", async () => {
  world.certificates.need("uid-gone", idOf(WEB));
  await pass(0);
  world.revoked.add(serialOf(world.served[0]));
  world.fail = (workload) => (workload === "uid-gone" ? new Error("workload_unknown") : undefined);
  world.certificates.revocationsChanged();
  // Each later than the one before: the next is seconds away.
  await pass(5_000);
  world.certificates.need("uid-new", idOf(WEB));
  world.certificates.release("uid-gone");
  await pass(0);
  expect(world.certificates.isServed("uid-new")).toBe(true);
});

test("restore(): a stored leaf that was taken back is not used", async () => {
  world.certificates.need("uid-1", idOf(WEB));
  await pass(0);
  const [stored] = world.certificates.leaves();
  world.certificates.close();
  const next = world.create();
  world.revoked.add(serialOf(stored));
  next.restore(stored ? [stored] : []);
  next.need("uid-1", idOf(WEB));
  expect(next.isServed("uid-1")).toBe(false);
  await pass(0);
  expect(next.isServed("uid-1")).toBe(true);
  next.close();
});

test("revocationsChanged(): an attempt in vain is made again, though the leaf that was taken back is young", async () => {
  world.certificates.need("uid-1", idOf(WEB));
  await pass(0);
  world.revoked.add(serialOf(world.served[0]));
  world.fail = () => new Error("away");
  world.certificates.revocationsChanged();
  await pass(0);
  expect(world.asked).toHaveLength(2);
  world.fail = undefined;
  await pass(20_000);
  expect(world.certificates.isServed("uid-1")).toBe(true);
});
