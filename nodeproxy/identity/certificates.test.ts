import { createPrivateKey, generateKeyPairSync, X509Certificate } from "node:crypto";
import { afterEach, beforeEach, expect, jest, test } from "@jest/globals";
import { pino } from "pino";
import { parseSpiffeId, type SpiffeId } from "../../core/model/spiffe-id.ts";
import type { TrustBundle } from "../../core/model/trust-bundle.ts";
import { certificateFingerprint } from "../../core/x509/fingerprint.ts";
import { parseCsr } from "../../core/x509/parse-csr.ts";
import { type Authority, createAuthority } from "../../operator/ca/authority.ts";
import { createMemoryKeyStore } from "../../test/fakes/memory-key-store.ts";
import type { ServedLeaf } from "../channel/messages.ts";
import { type Certificates, type CertificatesOptions, createCertificates } from "./certificates.ts";

const WEB = "spiffe://cluster.local/ns/shop/sa/web";
const START = Date.parse("2026-03-01T12:00:00Z");
const HOUR_MS = 3_600_000;

function idOf(uri: string): SpiffeId {
  const identity = parseSpiffeId(uri);
  if (!identity) throw new Error(`${uri} is no SPIFFE ID`);
  return identity;
}

/** An operator that may be away, slow or wrong, and a node that hears what is served. */
class World {
  readonly served: ServedLeaf[] = [];
  readonly dropped: string[] = [];
  readonly revoked = new Set<string>();
  readonly asked: string[] = [];
  readonly logged: { level: number; reason?: string; msg: string }[] = [];
  lifetimeSeconds = 3600;
  random = 0.5;
  fail: ((workload: string) => Error | undefined) | undefined;
  answerAs = WEB;
  /** The operator's clock less the node's. */
  operatorAheadMs = 0;
  alter: (chain: readonly Uint8Array[]) => readonly Uint8Array[] = (chain) => chain;
  authority: Authority;
  bundles: readonly TrustBundle[];
  readonly certificates: Certificates;

  constructor(authority: Authority) {
    this.authority = authority;
    this.bundles = [authority.bundle()];
    this.certificates = this.create();
  }

  create(): Certificates {
    const options: CertificatesOptions = {
      certify: (workload, csr) => this.#certify(workload, csr),
      bundles: () => this.bundles,
      isRevoked: (serial) => this.revoked.has(serial),
      now: () => Date.now(),
      random: () => this.random,
      log: pino({ level: "trace" }, { write: (line) => this.logged.push(JSON.parse(line)) }),
      onLeaf: (leaf) => this.served.push(leaf),
      onDropped: (identity) => this.dropped.push(identity),
    };
    return createCertificates(options);
  }

  async #certify(workload: string, csr: Uint8Array): Promise<readonly Uint8Array[]> {
    this.asked.push(workload);
    const error = this.fail?.(workload);
    if (error) throw error;
    const parsed = parseCsr(csr);
    if (parsed.kind === "refused") throw new Error(parsed.reason);
    const { chain } = this.authority.issueLeaf({
      publicKey: parsed.publicKey,
      identity: idOf(this.answerAs),
      lifetimeSeconds: this.lifetimeSeconds,
      now: Date.now() + this.operatorAheadMs,
    });
    return this.alter(chain);
  }
}

async function newAuthority(): Promise<Authority> {
  const keyStore = createMemoryKeyStore();
  return createAuthority({ keyStore, trustDomain: "cluster.local", now: Date.now() });
}

let world: World;

beforeEach(async () => {
  jest.useFakeTimers({ now: START });
  world = new World(await newAuthority());
});

afterEach(() => {
  world.certificates.close();
  jest.useRealTimers();
});

async function pass(ms: number): Promise<void> {
  await jest.advanceTimersByTimeAsync(ms);
}

test("need(): pods of one account share one leaf, whose key is ours", async () => {
  world.certificates.need("uid-1", idOf(WEB));
  world.certificates.need("uid-2", idOf(WEB));
  expect(world.certificates.isServed("uid-1")).toBe(false);
  await pass(0);
  expect(world.asked).toEqual(["uid-1"]);
  expect(world.served).toHaveLength(1);
  const [leaf] = world.served;
  expect(leaf?.identity).toBe(WEB);
  const x509 = new X509Certificate(leaf?.chainPem ?? "");
  expect(x509.checkPrivateKey(createPrivateKey(leaf?.keyPem ?? ""))).toBe(true);
  expect(leaf?.notAfterMs).toBe(START + HOUR_MS);
  expect(world.certificates.isServed("uid-2")).toBe(true);
  const [, signer = ""] = (leaf?.chainPem ?? "").split(/(?<=-----END CERTIFICATE-----\n)/);
  expect(world.certificates.report()).toEqual([
    {
      identity: WEB,
      issuer: certificateFingerprint(new X509Certificate(signer).raw),
      serial: new X509Certificate(leaf?.chainPem ?? "").serialNumber.toLowerCase(),
      notBeforeMs: START - 300_000,
      notAfterMs: START + HOUR_MS,
    },
  ]);
});

test("close(): leaves no timer and serves nothing", async () => {
  world.certificates.need("uid-1", idOf(WEB));
  await pass(0);
  world.certificates.restore([]);
  expect(jest.getTimerCount()).toBeGreaterThan(0);
  world.certificates.close();
  expect(jest.getTimerCount()).toBe(0);
  expect(world.dropped).toEqual([WEB]);
});

test("release(): the key goes with the last workload", async () => {
  world.certificates.need("uid-1", idOf(WEB));
  world.certificates.need("uid-2", idOf(WEB));
  await pass(0);
  world.certificates.release("uid-1");
  expect(world.dropped).toEqual([]);
  world.certificates.release("uid-2");
  expect(world.dropped).toEqual([WEB]);
  expect(world.certificates.leaves()).toEqual([]);
  await pass(2 * HOUR_MS);
  expect(world.asked).toHaveLength(1);
});

test.each([
  [0, 0.4],
  [0.5, 0.5],
  [0.999999, 0.6],
])(
  "certificates: with random %d the leaf is renewed at %d of its life, by a new key",
  async (random, at) => {
    world.random = random;
    world.certificates.need("uid-1", idOf(WEB));
    await pass(at * HOUR_MS - 1000);
    expect(world.served).toHaveLength(1);
    await pass(1001);
    expect(world.served).toHaveLength(2);
    expect(world.served[1]?.keyPem).not.toBe(world.served[0]?.keyPem);
    expect(world.dropped).toEqual([]);
  },
);

test("certificates: leaves of a minute, whose backdating exceeds their life, are renewed every half minute", async () => {
  world.lifetimeSeconds = 60;
  world.certificates.need("uid-1", idOf(WEB));
  await pass(10 * 60_000);
  expect(world.served.length).toBeGreaterThanOrEqual(20);
  expect(world.served.length).toBeLessThanOrEqual(22);
});

test("certificates: with the operator away the old leaf is served until it ends, and tried for all the time", async () => {
  world.certificates.need("uid-1", idOf(WEB));
  await pass(0);
  world.fail = () => Object.assign(new Error("away"), { reason: "operator_unreachable" });
  await pass(HOUR_MS - 1);
  expect(world.certificates.isServed("uid-1")).toBe(true);
  expect(world.dropped).toEqual([]);
  await pass(2);
  expect(world.dropped).toEqual([WEB]);
  expect(world.certificates.isServed("uid-1")).toBe(false);
  expect(world.asked.length).toBeGreaterThan(100);
  expect(world.asked.length).toBeLessThan(300);
  expect(world.logged.some(({ reason }) => reason === "operator_unreachable")).toBe(true);
  world.fail = undefined;
  await pass(15_000);
  expect(world.certificates.isServed("uid-1")).toBe(true);
});

test("certificates: a refused pod does not keep others of its account from the leaf", async () => {
  world.fail = (workload) => (workload === "uid-ended" ? new Error("workload_ended") : undefined);
  world.certificates.need("uid-ended", idOf(WEB));
  world.certificates.need("uid-2", idOf(WEB));
  await pass(300);
  expect(world.asked).toEqual(["uid-ended", "uid-2"]);
  expect(world.served).toHaveLength(1);
});

const REFUSED = "certificate not renewed";

test("certificates: what the operator answers wrongly is not served", async () => {
  const stranger = await newAuthority();
  const own = world.authority;
  const wrongs: readonly [string, () => void][] = [
    ["issued_to_other_identity", () => (world.answerAs = WEB.replace("web", "admin"))],
    ["chain_unknown_root", () => (world.authority = stranger)],
    ["chain_empty", () => (world.alter = () => [])],
    ["chain_malformed", () => (world.alter = () => [new Uint8Array(40)])],
    ["trust_domain_without_bundle", () => (world.bundles = [])],
  ];
  for (const [reason, spoil] of wrongs) {
    spoil();
    const certificates = world.create();
    certificates.need("uid-1", idOf(WEB));
    await pass(0);
    expect(world.logged.at(-1)).toMatchObject({ reason, msg: REFUSED });
    certificates.close();
    world.authority = own;
    world.answerAs = WEB;
    world.alter = (chain) => chain;
    world.bundles = [own.bundle()];
  }
  expect(world.served).toEqual([]);
});

test("certificates: a leaf for another key, replayed from before, is not served", async () => {
  let first: readonly Uint8Array[] | undefined;
  world.alter = (chain) => (first ??= chain);
  world.certificates.need("uid-1", idOf(WEB));
  await pass(0.7 * HOUR_MS);
  expect(world.served).toHaveLength(1);
  expect(world.logged.at(-1)).toMatchObject({ reason: "issued_for_other_key", msg: REFUSED });
});

test("restore(): a leaf of the snapshot is served at once and nobody is asked", async () => {
  world.certificates.need("uid-1", idOf(WEB));
  await pass(60_000);
  const stored = world.certificates.leaves();
  const restarted = world.create();
  restarted.restore(stored);
  world.served.length = 0;
  world.asked.length = 0;
  restarted.need("uid-1", idOf(WEB));
  expect(world.served).toEqual(stored);
  await pass(0);
  expect(world.asked).toEqual([]);
  restarted.close();
});

test("restore(): what is expired, broken or of another root is not used", async () => {
  world.certificates.need("uid-1", idOf(WEB));
  await pass(0);
  const [leaf] = world.certificates.leaves();
  if (!leaf) throw new Error("no leaf");
  const stranger = (await newAuthority()).bundle();
  const cases: readonly (() => ServedLeaf)[] = [
    () => ({ ...leaf, keyPem: "-----BEGIN PRIVATE KEY-----\nx" }),
    () => ({ ...leaf, chainPem: leaf.chainPem.slice(0, -60) }),
    () => {
      world.bundles = [stranger];
      return leaf;
    },
    () => {
      jest.setSystemTime(START + 2 * HOUR_MS);
      world.bundles = [world.authority.bundle()];
      return leaf;
    },
  ];
  for (const spoil of cases) {
    const restarted = world.create();
    world.served.length = 0;
    restarted.restore([spoil()]);
    restarted.need("uid-1", idOf(WEB));
    expect(world.served).toEqual([]);
    restarted.close();
  }
});

test("restore(): keys that no pod asks for are forgotten", async () => {
  world.certificates.need("uid-1", idOf(WEB));
  await pass(0);
  const restarted = world.create();
  restarted.restore(world.certificates.leaves());
  await pass(121_000);
  world.asked.length = 0;
  restarted.need("uid-1", idOf(WEB));
  expect(world.asked).toEqual(["uid-1"]);
  restarted.close();
});

test("bundlesChanged(): a leaf whose root has gone is renewed at once", async () => {
  world.certificates.need("uid-1", idOf(WEB));
  await pass(0);
  const next = await newAuthority();
  world.bundles = [
    {
      trustDomain: "cluster.local",
      roots: [...next.bundle().roots, ...world.authority.bundle().roots],
      issuer: "",
      retired: [],
    },
  ];
  world.authority = next;
  world.certificates.bundlesChanged();
  await pass(0);
  expect(world.served).toHaveLength(1);
  world.bundles = [next.bundle()];
  world.certificates.bundlesChanged();
  await pass(0);
  expect(world.served).toHaveLength(2);
});

test("renewAll(): every leaf is asked for again at once, the old one served meanwhile", async () => {
  world.certificates.need("uid-1", idOf(WEB));
  await pass(0);
  world.certificates.renewAll();
  expect(world.certificates.isServed("uid-1")).toBe(true);
  await pass(0);
  expect(world.served).toHaveLength(2);
  expect(world.dropped).toEqual([]);
});

test("keepOnly(): releases every workload that is not named", async () => {
  world.certificates.need("uid-1", idOf(WEB));
  world.certificates.need("uid-2", idOf(WEB));
  await pass(0);
  world.certificates.keepOnly(new Set(["uid-2"]));
  expect(world.certificates.isServed("uid-1")).toBe(false);
  expect(world.dropped).toEqual([]);
  world.certificates.keepOnly(new Set());
  expect(world.dropped).toEqual([WEB]);
});

test("certificates: a clock that jumps over the leaf's end is noticed within half a minute", async () => {
  world.certificates.need("uid-1", idOf(WEB));
  await pass(0);
  jest.setSystemTime(START + 3 * HOUR_MS);
  await pass(30_000);
  expect(world.dropped).toEqual([WEB]);
  expect(world.certificates.isServed("uid-1")).toBe(true);
});

test("certificates: a release while the operator is asked serves nothing afterwards", async () => {
  world.certificates.need("uid-1", idOf(WEB));
  world.certificates.release("uid-1");
  await pass(HOUR_MS);
  expect(world.served).toEqual([]);
});

test("certificates: no key shows in a log line or in JSON", async () => {
  world.certificates.need("uid-1", idOf(WEB));
  await pass(HOUR_MS);
  expect(JSON.stringify([world.certificates, world.logged])).not.toMatch(/PRIVATE KEY/);
});

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
