import { createPrivateKey, X509Certificate } from "node:crypto";
import { afterEach, beforeEach, expect, jest, test } from "@jest/globals";
import { certificateFingerprint } from "../../core/x509/fingerprint.ts";
import {
  CertificatesWorld,
  idOf,
  newAuthority,
  START,
  WEB,
} from "../../test/fakes/certificates-world.ts";
import type { ServedLeaf } from "../channel/messages.ts";

const HOUR_MS = 3_600_000;

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
