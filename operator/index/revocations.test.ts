import { expect, test } from "@jest/globals";
import fc from "fast-check";
import type { LeafReport } from "../../core/model/node-report.ts";
import type { Changes } from "../../core/model/resource.ts";
import { type KubeObject, parseKubeObject } from "../resources/kube-object.ts";
import type { KeptLeaves } from "../resources/node-report.ts";
import { ClusterIndex } from "./cluster-index.ts";

const HOUR_MS = 3_600_000;
const SKEW_MS = 900_000;
const UNSEEN_MS = 5_000;
const START = Date.parse("2026-03-01T12:00:00Z");

/** One replica of the operator, with a clock of its own, and a node that listens to it. */
class Replica {
  nowMs = START;
  readonly unwritten: string[] = [];
  /** Everything that the node was told, in order. */
  readonly told: Changes[] = [];
  readonly index = new ClusterIndex({
    rootNamespace: "weft-system",
    schedule: () => undefined,
    now: () => this.nowMs,
    onKeptLeaves: (nodes) => this.unwritten.push(...nodes),
  });

  constructor() {
    this.apply("Namespace", { name: "shop", labels: { "weft.dev/mesh": "enabled" } });
    this.node("upsert", "node-uid");
    this.index.watch("node-b", (changes) => this.told.push(changes));
  }

  begin(): this {
    this.index.begin();
    this.index.deliver();
    return this;
  }

  apply(kind: string, metadata: object, rest: object = {}): void {
    this.index.apply({ kind: "upsert", object: objectOf(kind, metadata, rest) });
  }

  gone(kind: string, metadata: object): void {
    this.index.apply({ kind: "delete", object: objectOf(kind, metadata, {}) });
  }

  node(change: "upsert" | "delete", uid: string): void {
    if (change === "upsert") this.apply("Node", { name: "node-a", uid });
    else this.gone("Node", { name: "node-a", uid });
  }

  pod(name: string, part: PodPart = {}): void {
    const metadata = { namespace: "shop", name, uid: part.uid ?? `uid-${name}`, ...part.meta };
    const spec = { nodeName: part.node ?? "node-a", serviceAccountName: part.account ?? name };
    const status = { phase: part.phase ?? "Running", podIP: "10.1.0.1" };
    this.apply("Pod", metadata, { spec, status });
  }

  podGone(name: string): void {
    this.gone("Pod", { namespace: "shop", name });
  }

  report(...leaves: readonly LeafReport[]): void {
    this.index.setReport(reportOf(leaves), this.nowMs);
  }

  written(leaves: readonly LeafReport[], kept: Partial<KeptLeaves> = {}): void {
    const { nodeUid = "node-uid", earlier = [], revoked = [] } = kept;
    const status = {
      reportedAt: new Date(this.nowMs).toISOString(),
      nodeUid,
      leaves: leaves.map((leaf) => ({ ...leaf, notAfter: timeText(leaf.notAfterMs) })),
      earlierLeaves: earlier.map((leaf) => ({ ...leaf, notAfter: timeText(leaf.notAfterMs) })),
      revoked: revoked.map((leaf) => ({ ...leaf, notAfter: timeText(leaf.notAfterMs) })),
    };
    this.apply("NodeReport", { name: "node-a" }, { status });
  }

  /** What any node is told now. */
  revoked(node = "node-a"): readonly string[] {
    this.index.deliver();
    const resource = this.index.resourcesFor("node-b").get(`revocation ${node}`);
    return resource?.body.kind === "revocation" ? resource.body.value.serials : [];
  }

  pass(ms: number): void {
    this.nowMs += ms;
    this.index.review();
  }
}

function objectOf(kind: string, metadata: object, rest: object): KubeObject {
  const parsed = parseKubeObject({ apiVersion: "v1", kind, metadata, ...rest });
  if (parsed.kind === "refused") throw new Error(parsed.reasons.join());
  return parsed.value;
}

interface PodPart {
  readonly uid?: string;
  readonly node?: string;
  readonly account?: string;
  readonly phase?: string;
  readonly meta?: object;
}

function timeText(ms: number): string {
  return new Date(ms).toISOString();
}

function reportOf(leaves: readonly LeafReport[], node = "node-a") {
  return { node, version: "1", captures: [], leaves, bundles: [], olderTunnels: [] };
}

function leaf(serial: string, account = "web", notAfterMs = START + HOUR_MS): LeafReport {
  const identity = `spiffe://cluster.local/ns/shop/sa/${account}`;
  return { identity, issuer: "ab", serial, notBeforeMs: START, notAfterMs };
}

function withPod(): Replica {
  const replica = new Replica();
  replica.pod("web");
  replica.report(leaf("01"));
  return replica.begin();
}

test("Revocations: a leaf whose last pod is gone from the node is taken back at once, and every node is told", () => {
  const replica = withPod();
  expect(replica.revoked()).toEqual([]);
  replica.podGone("web");
  expect(replica.revoked()).toEqual(["01"]);
  expect(replica.unwritten).toEqual(["node-a"]);
  const [told] = replica.told.at(-1)?.upserts ?? [];
  expect(told?.body).toEqual({ kind: "revocation", value: { node: "node-a", serials: ["01"] } });
});

const STAYS: readonly (readonly [string, (replica: Replica) => void])[] = [
  ["another pod of the account is on the node", (it) => it.pod("web-2", { account: "web" })],
  [
    "it is created again within one batch",
    (it) => {
      it.podGone("web");
      it.pod("web", { uid: "uid-again" });
    },
  ],
];

for (const [why, change] of STAYS) {
  test(`Revocations: a leaf stays where ${why}`, () => {
    const replica = withPod();
    change(replica);
    expect(replica.revoked()).toEqual([]);
    if (why.startsWith("another")) replica.podGone("web");
    expect(replica.revoked()).toEqual([]);
  });
}

test("Revocations: a pod that is being ended keeps its identity, one that has ended does not", () => {
  const replica = withPod();
  replica.pod("web", { meta: { deletionTimestamp: timeText(START) } });
  expect(replica.revoked()).toEqual([]);
  replica.pod("web", { phase: "Succeeded" });
  expect(replica.revoked()).toEqual(["01"]);
});

test("Revocations: a pod that leaves the mesh and runs on keeps its identity while it is released", () => {
  const replica = withPod();
  replica.apply("Namespace", { name: "shop", labels: {} });
  expect(replica.revoked()).toEqual([]);
});

test("Revocations: a pod of the account on another node keeps nothing here", () => {
  const replica = withPod();
  replica.pod("web-2", { account: "web", node: "node-b" });
  replica.podGone("web");
  expect(replica.revoked()).toEqual(["01"]);
});

test("Revocations: renewal takes nothing back; the pod's end takes back the leaf before as well", () => {
  const replica = withPod();
  replica.report(leaf("02"));
  expect(replica.revoked()).toEqual([]);
  expect(replica.index.keptLeaves("node-a").earlier.map(({ serial }) => serial)).toEqual(["01"]);
  replica.podGone("web");
  expect(replica.revoked()).toEqual(["01", "02"]);
});

test("Revocations: a pod that comes again gets nothing back, and its new leaf counts", () => {
  const replica = withPod();
  replica.podGone("web");
  expect(replica.revoked()).toEqual(["01"]);
  replica.pod("web", { uid: "uid-again" });
  // The node's report was under way.
  replica.report(leaf("01"));
  replica.report(leaf("02"));
  replica.pass(UNSEEN_MS);
  expect(replica.revoked()).toEqual(["01"]);
});

test("Revocations: a Node that is deleted loses all, whatever still runs; one that comes back begins anew", () => {
  const replica = withPod();
  replica.node("delete", "node-uid");
  expect(replica.revoked()).toEqual(["01"]);
  expect(replica.index.findWorkload("uid-web")?.nodeGone).toBe(true);
  replica.node("upsert", "other-uid");
  expect(replica.index.findWorkload("uid-web")?.nodeGone).toBe(false);
  replica.report(leaf("01"), leaf("02"));
  replica.pass(UNSEEN_MS);
  expect(replica.revoked()).toEqual(["01"]);
});

test("Revocations: a Node that was replaced while nobody looked loses what was served under the one before", () => {
  const replica = new Replica();
  replica.pod("web");
  replica.written([leaf("01")], { nodeUid: "uid-before" });
  replica.begin();
  replica.pass(UNSEEN_MS);
  expect(replica.revoked()).toEqual(["01"]);
});

test("Revocations: what was taken back is known again after a restart, at once; what happened meanwhile a moment later", () => {
  const before = withPod();
  before.podGone("web");
  before.pod("api");
  before.report(leaf("01"), leaf("02", "api"));
  expect(before.revoked()).toEqual(["01"]);
  const after = new Replica();
  after.written([leaf("01"), leaf("02", "api")], before.index.keptLeaves("node-a"));
  after.begin();
  expect(after.revoked()).toEqual(["01"]);
  after.pass(UNSEEN_MS - 1);
  expect(after.revoked()).toEqual(["01"]);
  after.pass(1);
  expect(after.revoked()).toEqual(["01", "02"]);
});

test("Revocations: nothing is judged before everything is known", () => {
  const replica = new Replica();
  replica.written([leaf("01")]);
  replica.pass(HOUR_MS / 2);
  expect(replica.revoked()).toEqual([]);
  replica.pod("web");
  replica.begin();
  replica.pass(UNSEEN_MS);
  expect(replica.revoked()).toEqual([]);
});

test("Revocations: a leaf that is heard of before its pod is, from another replica, is not taken back", () => {
  const replica = new Replica().begin();
  replica.written([leaf("01")]);
  replica.pass(UNSEEN_MS - 1);
  expect(replica.revoked()).toEqual([]);
  replica.pod("web");
  replica.index.deliver();
  replica.pass(UNSEEN_MS);
  expect(replica.revoked()).toEqual([]);
});

test("Revocations: what another replica took back is taken over, and what it does not know is to be written", () => {
  const replica = withPod();
  replica.podGone("web");
  expect(replica.revoked()).toEqual(["01"]);
  replica.unwritten.length = 0;
  replica.written([leaf("01")], { revoked: [{ serial: "09", notAfterMs: START + HOUR_MS }] });
  expect(replica.revoked()).toEqual(["01", "09"]);
  expect(replica.unwritten).toEqual(["node-a"]);
  expect(replica.index.isKeptWritten("node-a")).toBe(false);
  replica.unwritten.length = 0;
  replica.written([], replica.index.keptLeaves("node-a"));
  replica.index.deliver();
  expect(replica.unwritten).toEqual([]);
  expect(replica.index.isKeptWritten("node-a")).toBe(true);
});

test("Revocations: a node cannot have taken back what another node serves", () => {
  const replica = new Replica();
  replica.apply("Node", { name: "node-b", uid: "b" });
  replica.pod("web", { node: "node-b" });
  replica.begin();
  replica.index.setReport(reportOf([leaf("01")], "node-b"), START);
  replica.report(leaf("01"));
  replica.pass(UNSEEN_MS);
  expect([replica.revoked("node-a"), replica.revoked("node-b")]).toEqual([[], []]);
});

test("Revocations: a name that nobody's pod stands for does not keep it from the node that serves it", () => {
  const replica = new Replica();
  replica.apply("Node", { name: "node-b", uid: "b" });
  replica.pod("web", { node: "node-b" });
  replica.begin();
  replica.report(leaf("01"));
  replica.index.setReport(reportOf([leaf("01")], "node-b"), START);
  replica.pass(UNSEEN_MS);
  expect([replica.revoked("node-a"), replica.revoked("node-b")]).toEqual([[], []]);
  replica.podGone("web");
  expect(replica.revoked("node-b")).toEqual(["01"]);
});

test("Revocations: an entry is forgotten once its leaf has ended by every clock, and then the report of a gone node", () => {
  const replica = withPod();
  replica.podGone("web");
  replica.node("delete", "node-uid");
  expect(replica.revoked()).toEqual(["01"]);
  replica.pass(HOUR_MS + SKEW_MS);
  expect(replica.revoked()).toEqual(["01"]);
  expect(replica.index.outlivedReports()).toEqual([]);
  replica.pass(1);
  expect(replica.revoked()).toEqual([]);
  expect(replica.told.at(-1)?.removals).toEqual([{ kind: "revocation", name: "node-a" }]);
  expect(replica.index.outlivedReports()).toEqual(["node-a"]);
  replica.gone("NodeReport", { name: "node-a" });
  expect(replica.index.outlivedReports()).toEqual([]);
});

test("Revocations: of more than 10,000 those that end last are kept, and it is told", () => {
  const replica = new Replica();
  replica.pod("web");
  const serials = Array.from({ length: 10_001 }, (_, i) => (i + 1).toString(16).padStart(6, "0"));
  replica.report(...serials.map((serial, i) => leaf(serial, "web", START + HOUR_MS - i)));
  replica.begin();
  replica.podGone("web");
  const revoked = replica.revoked();
  expect(revoked).toHaveLength(10_000);
  expect(revoked).not.toContain(serials.at(-1));
  expect([...replica.index.overflowedNodes()]).toEqual(["node-a"]);
});

const steps = fc.array(
  fc.oneof(
    fc.record({ kind: fc.constant("pod" as const), name: fc.constantFrom("p", "q", "r") }),
    fc.record({ kind: fc.constant("gone" as const), name: fc.constantFrom("p", "q", "r") }),
    fc.record({ kind: fc.constant("renew" as const) }),
    fc.record({ kind: fc.constant("deliver" as const) }),
    fc.record({ kind: fc.constant("wait" as const), ms: fc.integer({ min: 1, max: 2_000 }) }),
  ),
  { maxLength: 40 },
);

test("Revocations: whatever comes and goes, what a node with a pod serves is never taken back, and after the last pod all is", () => {
  fc.assert(
    fc.property(steps, (all) => {
      const replica = new Replica().begin();
      const pods = new Set<string>();
      const named = new Set<string>();
      let serial = 0;
      for (const step of all) {
        if (step.kind === "pod") replica.pod(step.name, { account: "web" });
        if (step.kind === "pod") pods.add(step.name);
        if (step.kind === "gone") replica.podGone(step.name);
        if (step.kind === "gone") pods.delete(step.name);
        if (step.kind === "wait") replica.pass(step.ms);
        if (step.kind === "deliver") replica.index.deliver();
        if (step.kind !== "renew" || pods.size === 0) continue;
        // A node asks for a leaf only for a pod that it was told of.
        replica.index.deliver();
        serial += 1;
        const text = serial.toString(16).padStart(4, "0");
        named.add(text);
        replica.report(leaf(text));
        expect(replica.revoked()).not.toContain(text);
      }
      for (const name of pods) replica.podGone(name);
      expect(replica.revoked()).toEqual([...named].toSorted());
    }),
    { numRuns: 300 },
  );
});

test("Revocations: replicas that hear of each other's writings come to the same, in whatever order", () => {
  const written = fc.record({
    served: fc.uniqueArray(fc.constantFrom("01", "02", "03")),
    revoked: fc.uniqueArray(fc.constantFrom("02", "03", "04", "05")),
  });
  fc.assert(
    fc.property(fc.array(written, { maxLength: 6 }), (all) => {
      function replicaOf(order: typeof all): readonly string[] {
        const replica = new Replica().begin();
        for (const { served, revoked } of order) {
          const kept = revoked.map((serial) => ({ serial, notAfterMs: START + HOUR_MS }));
          replica.written(
            served.map((serial) => leaf(serial)),
            { revoked: kept },
          );
        }
        replica.pass(UNSEEN_MS);
        return replica.revoked();
      }
      expect(replicaOf(all.toReversed())).toEqual(replicaOf(all));
    }),
  );
});
