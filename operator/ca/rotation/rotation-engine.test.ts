/** Rotations step by step, on one key store, with reports as three obedient nodes would make them. */
import { expect, test } from "@jest/globals";
import fc from "fast-check";
import type { NodeReport } from "../../../core/model/node-report.ts";
import type { TrustBundle } from "../../../core/model/trust-bundle.ts";
import { formatCertificatesPem } from "../../../core/x509/pem.ts";
import { createCraftedRoot } from "../../../test/fakes/crafted-ca.ts";
import { createMemoryKeyStore } from "../../../test/fakes/memory-key-store.ts";
import { compileTrustBundle } from "../../compile/trust-bundle.ts";
import { createAuthority } from "../authority.ts";
import { createHierarchy, createUnderRoot } from "../intermediate.ts";
import type { IntermediateAnswer, IntermediateSource } from "../intermediate-source.ts";
import type { CaMaterial, KeyStore } from "../key-store.ts";
import type { RotatedAuthority } from "../rotation-record.ts";
import { bundleOf } from "../trust.ts";
import type { RotationWish } from "./decide-step.ts";
import { RotationEngine, type RotationProgress } from "./rotation-engine.ts";

const trustDomain = "cluster.local";
const place = "memory";
const NOW = Date.parse("2026-01-01T00:00:00Z");
const NODES = ["a", "b", "c"];

interface Setup {
  readonly material?: CaMaterial;
  readonly source?: IntermediateSource;
}

function hierarchy(): CaMaterial {
  return createHierarchy({ trustDomain, place, now: NOW });
}

function versionOf(bundle: TrustBundle): string {
  return compileTrustBundle(bundle).version;
}

/** A rotation under test, with a monotonic clock of its own. */
class Rotation {
  readonly keyStore: KeyStore;
  readonly #engine: RotationEngine;
  readonly reports = new Map<string, NodeReport>();
  monotonicMs = 0;
  isPublished = true;
  wish: RotationWish | undefined;

  constructor(authority: RotatedAuthority, { material = hierarchy(), source }: Setup = {}) {
    const keyStore = createMemoryKeyStore(material);
    this.keyStore = keyStore;
    this.wish = { object: "one", authority, abort: false, waivedNodes: [] };
    const monotonicMs = (): number => this.monotonicMs;
    const options = { keyStore, trustDomain, versionOf, monotonicMs };
    this.#engine = new RotationEngine(
      source ? { ...options, intermediates: () => source } : options,
    );
  }

  async material(): Promise<CaMaterial> {
    const material = await this.keyStore.read();
    if (!material) throw new Error("no CA");
    return material;
  }

  async bundle(): Promise<TrustBundle> {
    return bundleOf(await this.material(), { keyStore: this.keyStore, trustDomain });
  }

  advance(): Promise<RotationProgress> {
    const nodes = NODES.map((node) => {
      const report = this.reports.get(node);
      return { node, report, reportedAtMs: report ? NOW : 0 };
    });
    const isPublished = (): boolean => this.isPublished;
    return this.#engine.advance({ choose: () => this.wish, nodes, isPublished, now: NOW });
  }

  /** What is said once nothing moves by itself any more. */
  async advanceAll(): Promise<RotationProgress> {
    for (let step = 0; step < 20; step += 1) {
      const progress = await this.advance();
      if (progress.kind !== "moved") return progress;
    }
    throw new Error("it never stands still");
  }

  /** These nodes do all that is asked of them, before and after the replicas have had time to look. */
  async follow(...names: readonly string[]): Promise<RotationProgress> {
    await this.report(...names);
    this.monotonicMs += 10_000;
    await this.advanceAll();
    await this.report(...names);
    return this.advanceAll();
  }

  async report(...names: readonly string[]): Promise<void> {
    const bundle = await this.bundle();
    for (const node of names) this.reports.set(node, reportOf(node, bundle));
  }
}

function reportOf(node: string, bundle: TrustBundle): NodeReport {
  const leaf = { identity: node, issuer: bundle.issuer, serial: "", notBeforeMs: 0, notAfterMs: 1 };
  return {
    node,
    version: "",
    captures: [],
    leaves: [leaf],
    bundles: [{ trustDomain, version: versionOf(bundle) }],
    olderTunnels: [],
  };
}

const PHASES = [
  ["root", ["add", "reissue", "drop"]],
  ["intermediate", ["reissue", "drop"]],
] as const;

function phaseOf(progress: RotationProgress): string {
  return progress.kind === "wait" ? progress.record.phase : progress.kind;
}

test("RotationEngine: a root is added, signs, and the old one is dropped, each once every node has followed", async () => {
  const before = hierarchy();
  const rotation = new Rotation("root", { material: before });
  const old = await rotation.bundle();
  expect(phaseOf(await rotation.advanceAll())).toBe("add");
  const added = await rotation.bundle();
  expect(added).toMatchObject({ issuer: old.issuer, retired: [] });
  expect(added.roots).toHaveLength(2);
  expect(phaseOf(await rotation.follow("a", "b"))).toBe("add");
  expect(phaseOf(await rotation.follow("a", "b", "c"))).toBe("reissue");
  const reissued = await rotation.bundle();
  expect(reissued.issuer).not.toBe(old.issuer);
  expect(reissued.roots).toHaveLength(2);
  expect(phaseOf(await rotation.follow("a", "b", "c"))).toBe("drop");
  const dropped = await rotation.bundle();
  expect(dropped.roots).toHaveLength(1);
  expect(dropped.roots).not.toEqual(old.roots);
  expect(dropped.retired).toContain(old.issuer);
  expect(dropped.retired).toHaveLength(2);
  const ended = await rotation.follow("a", "b", "c");
  const to = reissued.issuer;
  expect(ended).toMatchObject({
    kind: "ended",
    ended: { outcome: "complete", from: old.issuer, to },
  });
  const after = await rotation.material();
  expect(after.rotation).toBeUndefined();
  expect(after.standbyKeyPem).toBeUndefined();
  expect(JSON.stringify(after)).not.toContain(JSON.stringify(before.rootKeyPem).slice(30, 90));
  // The same object does not begin another one.
  expect(await rotation.advanceAll()).toEqual(ended);
});

test("RotationEngine: an intermediate signs at once, since nobody has to learn to trust it", async () => {
  const rotation = new Rotation("intermediate");
  const old = await rotation.bundle();
  const { rootKeyPem } = await rotation.material();
  expect(phaseOf(await rotation.advanceAll())).toBe("reissue");
  const reissued = await rotation.bundle();
  expect(reissued.roots).toEqual(old.roots);
  expect(reissued.issuer).not.toBe(old.issuer);
  await rotation.follow(...NODES);
  expect(await rotation.bundle()).toMatchObject({ roots: old.roots, retired: [old.issuer] });
  expect(await rotation.follow(...NODES)).toMatchObject({ kind: "ended" });
  expect((await rotation.material()).rootKeyPem).toBe(rootKeyPem);
});

test.each(["root", "intermediate"] as const)(
  "RotationEngine: a rotation of the %s goes back from every phase, and the new CA is retired",
  async (authority) => {
    const steps = authority === "root" ? 3 : 2;
    for (let followed = 0; followed < steps; followed += 1) {
      const rotation = new Rotation(authority);
      const old = await rotation.bundle();
      await rotation.advanceAll();
      for (let step = 0; step < followed; step += 1) await rotation.follow(...NODES);
      const said = await rotation.advanceAll();
      const to = said.kind === "wait" ? said.record.to : "";
      if (rotation.wish) rotation.wish = { ...rotation.wish, abort: true };
      let progress = await rotation.advanceAll();
      for (let step = 0; step < 4 && progress.kind === "wait"; step += 1) {
        progress = await rotation.follow(...NODES);
      }
      expect(progress).toMatchObject({ kind: "ended", ended: { outcome: "aborted" } });
      const after = await rotation.bundle();
      expect(after).toMatchObject({ roots: old.roots, issuer: old.issuer });
      expect(after.retired).toContain(to);
      expect(after.retired).toHaveLength(authority === "root" ? 2 : 1);
      // What is stored then still signs.
      const { keyStore } = rotation;
      await createAuthority({ keyStore, trustDomain, now: NOW });
    }
  },
);

test("RotationEngine: says of each node what it lacks, and who is waived does not hold it up", async () => {
  const rotation = new Rotation("intermediate");
  await rotation.advanceAll();
  const bundle = await rotation.bundle();
  const followed = reportOf("a", bundle);
  const older = followed.leaves.map((leaf) => ({ ...leaf, issuer: "older" }));
  rotation.reports.set("a", { ...followed, leaves: older });
  rotation.reports.set("b", { ...followed, olderTunnels: [{ issuer: "older", count: 2 }] });
  rotation.monotonicMs += 10_000;
  const missing = { a: "Leaves", b: "Tunnels", c: "NoReport" };
  const nodes = Object.entries(missing).map(([node, lack]) => ({ node, missing: lack }));
  expect(await rotation.advance()).toMatchObject({ kind: "wait", waitsFor: "nodes", nodes });
  if (rotation.wish) rotation.wish = { ...rotation.wish, waivedNodes: ["a", "b"] };
  expect(await rotation.advance()).toMatchObject({ kind: "wait", waitsFor: "nodes" });
  rotation.reports.set("c", { ...followed, bundles: [] });
  const progress = await rotation.advance();
  expect(progress).toMatchObject({ kind: "wait" });
  expect(progress.kind === "wait" && progress.nodes.map((one) => one.state)).toEqual([
    "Waived",
    "Waived",
    "Waiting",
  ]);
  expect(phaseOf(await rotation.follow("c"))).toBe("drop");
});

test("RotationEngine: waits for replicas that have not looked yet, and for those who verify without a stream", async () => {
  const rotation = new Rotation("root");
  await rotation.advanceAll();
  for (const node of NODES) rotation.reports.set(node, reportOf(node, await rotation.bundle()));
  rotation.isPublished = false;
  expect(await rotation.advance()).toMatchObject({ waitsFor: "publishing" });
  rotation.isPublished = true;
  rotation.monotonicMs += 9999;
  expect(await rotation.advance()).toMatchObject({ waitsFor: "replicas" });
  rotation.monotonicMs += 1;
  expect(await rotation.advance()).toEqual({ kind: "moved" });
});

test("RotationEngine: a node that got an older bundle again from a replica that lagged has to prove the phase anew", async () => {
  for (const [authority, phases] of PHASES) {
    const rotation = new Rotation(authority);
    await rotation.advanceAll();
    for (const [index, phase] of phases.entries()) {
      await rotation.report(...NODES);
      const early = await rotation.bundle();
      rotation.monotonicMs += 10_000;
      // "a" has lost every operator since, with the older bundle and an older leaf: its last report still says otherwise.
      const settled = await rotation.advanceAll();
      expect(phaseOf(settled)).toBe(phase);
      expect(versionOf(await rotation.bundle())).not.toBe(versionOf(early));
      await rotation.report("b", "c");
      rotation.monotonicMs += 3_600_000;
      const nodes = [{ node: "a", state: "Waiting", missing: "Bundle" }, {}, {}];
      const waits = { kind: "wait", record: { phase }, waitsFor: "nodes", nodes };
      expect(await rotation.advanceAll()).toMatchObject(waits);
      await rotation.report("a");
      expect(phaseOf(await rotation.advanceAll())).toBe(phases[index + 1] ?? "ended");
    }
  }
});

test("RotationEngine: another object goes on with a rotation whose object is gone", async () => {
  const rotation = new Rotation("root");
  await rotation.advanceAll();
  rotation.wish = undefined;
  expect(await rotation.follow(...NODES)).toMatchObject({
    kind: "orphaned",
    record: { object: "one" },
  });
  rotation.wish = { object: "two", authority: "root", abort: true, waivedNodes: [] };
  await rotation.advanceAll();
  const ended = { object: "two", outcome: "aborted" };
  expect(await rotation.follow(...NODES)).toMatchObject({ kind: "ended", ended });
});

test("RotationEngine: one that is aborted before anything was stored has never begun", async () => {
  const rotation = new Rotation("root");
  const before = await rotation.material();
  if (rotation.wish) rotation.wish = { ...rotation.wish, abort: true };
  expect(await rotation.advanceAll()).toEqual({ kind: "never_begun" });
  expect(await rotation.material()).toBe(before);
});

test("RotationEngine: a CA that somebody puts there meanwhile signs on, and the rotation ends", async () => {
  for (const garble of [{}, { rotation: "{}" }, { standbyCertificatesPem: undefined }]) {
    const rotation = new Rotation("root");
    await rotation.advanceAll();
    const { certificatesPem, keyPem, rootsPem } = hierarchy();
    const isOther = Object.keys(garble).length === 0;
    const other = isOther ? { certificatesPem, keyPem, rootsPem } : garble;
    const before = await rotation.material();
    const edited = { ...before, ...other };
    await rotation.keyStore.replace(before, edited);
    expect(await rotation.advanceAll()).toMatchObject({
      kind: "ended",
      ended: { outcome: "exchanged" },
    });
    expect(await rotation.material()).toMatchObject({
      certificatesPem: edited.certificatesPem,
      rootsPem: edited.rootsPem,
    });
    expect((await rotation.material()).standbyKeyPem).toBeUndefined();
  }
});

test("RotationEngine: refuses what it cannot do, and stores nothing", async () => {
  const root = createCraftedRoot("Our own root", { notAfterMs: NOW + 1e11 });
  const brought = {
    certificatesPem: formatCertificatesPem([root.der]),
    keyPem: root.keyPem,
    rootsPem: formatCertificatesPem([root.der]),
  };
  const offline = { ...hierarchy(), rootKeyPem: undefined };
  const denied: IntermediateSource = {
    signer: "Issuer corporate",
    isExternal: true,
    create: async () => ({ kind: "refused", reason: "SignerDenied", message: "no" }),
  };
  const cases: readonly (readonly [RotatedAuthority, string, Setup])[] = [
    ["root", "CaBrought", { material: brought }],
    ["intermediate", "CaBrought", { material: brought }],
    ["intermediate", "RootKeyOffline", { material: offline }],
    ["root", "SignerOwnsRoot", { source: denied }],
    ["intermediate", "SignerDenied", { source: denied }],
  ];
  for (const [authority, reason, setup] of cases) {
    const rotation = new Rotation(authority, setup);
    const before = await rotation.material();
    expect(await rotation.advanceAll()).toMatchObject({ kind: "refused", reason });
    expect(await rotation.material()).toBe(before);
  }
  // The root's key is needed for nothing but new intermediates.
  expect(phaseOf(await new Rotation("root", { material: offline }).advanceAll())).toBe("add");
});

test("RotationEngine: an external signer is waited for; another root of its is added first", async () => {
  const theirs = hierarchy();
  const asked = Promise.withResolvers<IntermediateAnswer>();
  const source: IntermediateSource = {
    signer: "Issuer corporate",
    isExternal: true,
    create: () => asked.promise,
  };
  const rotation = new Rotation("intermediate", { source });
  expect(await rotation.advanceAll()).toEqual({ kind: "asking", signer: "Issuer corporate" });
  const made = createUnderRoot(theirs, { trustDomain, place, now: NOW });
  if (made) asked.resolve({ kind: "made", ...made });
  expect(phaseOf(await rotation.advanceAll())).toBe("add");
  for (const phase of ["reissue", "drop", "ended"]) {
    expect(phaseOf(await rotation.follow(...NODES))).toBe(phase);
  }
  const { rootsPem, rootKeyPem } = await rotation.material();
  expect(rootsPem).toBe(theirs.rootsPem);
  expect(rootKeyPem).toBeUndefined();
});

test("RotationEngine: no report but that of the step now moves it on, whatever nodes have said before", async () => {
  const rotation = new Rotation("intermediate");
  const versions = new Set<string>([versionOf(await rotation.bundle())]);
  const reports = NODES.map((node) => rotation.bundle().then((bundle) => reportOf(node, bundle)));
  for (const report of await Promise.all(reports)) rotation.reports.set(report.node, report);
  await rotation.advanceAll();
  // Each node has the new bundle and leaf by now, but its report is on its way still.
  versions.add(versionOf(await rotation.bundle()));
  if (rotation.wish) rotation.wish = { ...rotation.wish, abort: true };
  rotation.monotonicMs += 60_000;
  await rotation.advanceAll();
  rotation.monotonicMs += 60_000;
  expect(phaseOf(await rotation.advanceAll())).toBe("reissue");
  expect(versions.has(versionOf(await rotation.bundle()))).toBe(false);
});

test("RotationEngine: whatever stands in its entries, it never throws anything but what names the entry", async () => {
  const material = hierarchy();
  const text = fc.oneof(fc.string(), fc.json(), fc.constant(material.certificatesPem));
  const entries = fc.record(
    {
      rotation: text,
      rotated: text,
      standbyCertificatesPem: text,
      standbyKeyPem: text,
      standbyRootKeyPem: text,
    },
    { requiredKeys: [] },
  );
  await fc.assert(
    fc.asyncProperty(entries, async (garbage) => {
      const rotation = new Rotation("root", { material: { ...material, ...garbage } });
      const progress = await rotation.advanceAll();
      expect(["wait", "ended"]).toContain(progress.kind);
    }),
    { numRuns: 100 },
  );
});
