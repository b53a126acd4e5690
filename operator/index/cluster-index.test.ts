import { expect, test } from "@jest/globals";
import fc from "fast-check";
import type { CaptureState, NodeReport } from "../../core/model/node-report.ts";
import { type Changes, type Resource, resourceKey } from "../../core/model/resource.ts";
import { type KubeObject, parseKubeObject } from "../resources/kube-object.ts";
import { ClusterIndex } from "./cluster-index.ts";

const MESHED = { "weft.dev/mesh": "enabled" };

interface Meta {
  readonly labels?: Readonly<Record<string, string>>;
  readonly uid?: string;
}

function object(kind: string, name: string, fields: Readonly<Record<string, unknown>>): KubeObject {
  const [namespace, own] = name.includes("/") ? name.split("/") : ["", name];
  const { meta = {}, ...rest } = fields as { meta?: Meta };
  const isOurs = /Policy|PeerAuth|MeshConfig|NodeReport/.test(kind);
  const metadata = {
    namespace,
    name: own,
    uid: meta.uid ?? `uid-${own}`,
    labels: meta.labels ?? {},
  };
  const apiVersion = isOurs ? "weft.dev/v1" : "v1";
  const parsed = parseKubeObject({ apiVersion, kind, metadata, ...rest });
  if (parsed.kind === "refused") throw new Error(parsed.reasons.join());
  return parsed.value;
}

function pod(
  name: string,
  node: string,
  fields: Readonly<Record<string, unknown>> = {},
): KubeObject {
  const { phase = "Running", ip = "10.0.0.1", spec, ...rest } = fields as Record<string, object>;
  return object("Pod", name, {
    spec: { nodeName: node, containers: [], ...spec },
    status: { phase, podIP: ip },
    ...rest,
  });
}

function policy(name: string, spec: object = { rules: [{}] }): KubeObject {
  return object("AuthorizationPolicy", name, { spec });
}

function report(node: string, states: Readonly<Record<string, CaptureState>>): NodeReport {
  const captures = Object.entries(states).map(([uid, state]) => {
    return { uid, state, reason: "", message: "", connectionsOutside: 0 };
  });
  return { node, version: "1", captures, leaves: [], bundles: [], olderTunnels: [] };
}

/** An index whose deliveries the test itself sets off. */
function createIndex(...objects: readonly KubeObject[]): ClusterIndex {
  const index = new ClusterIndex({ rootNamespace: "weft-system", schedule: () => undefined });
  for (const each of objects) index.apply({ kind: "upsert", object: each });
  return index;
}

function shop(): ClusterIndex {
  return createIndex(
    object("Namespace", "shop", { meta: { labels: MESHED } }),
    pod("shop/web", "a", { meta: { labels: { app: "web" }, uid: "uid-web" } }),
    pod("shop/api", "b", { meta: { labels: { app: "api" }, uid: "uid-api" }, ip: "10.0.0.2" }),
  );
}

/** Each delivery as a sorted list: `+key` put, `-key` removed. The first, whole one is not in it. */
function watched(index: ClusterIndex, node: string): string[][] {
  const seen: string[][] = [];
  index.watch(node, ({ upserts, removals }) => {
    seen.push(
      [
        ...upserts.map((each) => `+${resourceKey({ kind: each.body.kind, name: each.name })}`),
        ...removals.map((ref) => `-${resourceKey(ref)}`),
      ].toSorted(),
    );
  });
  seen.shift();
  return seen;
}

function keys(index: ClusterIndex, node: string, kind: string): readonly string[] {
  return [...index.resourcesFor(node).keys()]
    .filter((key) => key.startsWith(`${kind} `))
    .toSorted();
}

function workload(index: ClusterIndex, uid: string) {
  const body = index.resourcesFor("any").get(`workload ${uid}`)?.body;
  return body?.kind === "workload" ? body.value : undefined;
}

test("ClusterIndex: workloads go to every node, enrolments to the pod's own", () => {
  const index = shop();
  expect(keys(index, "a", "workload")).toEqual(["workload uid-api", "workload uid-web"]);
  expect(keys(index, "a", "enrolment")).toEqual(["enrolment uid-web"]);
  expect(keys(index, "b", "enrolment")).toEqual(["enrolment uid-api"]);
  expect(keys(index, "c", "enrolment")).toEqual([]);
});

test.each([
  ["a label that opts out", { meta: { labels: { "weft.dev/mesh": "disabled" } } }, true],
  ["the host's network", { spec: { hostNetwork: true } }, false],
  ["phase Succeeded", { phase: "Succeeded" }, false],
  ["phase Failed", { phase: "Failed" }, false],
  ["no address yet", { ip: "" }, false],
  ["an address that is none", { ip: "10.0.0.300" }, false],
])("ClusterIndex: a pod with %s is not enrolled", (_, fields, isKnown) => {
  const index = shop();
  index.apply({ kind: "upsert", object: pod("shop/x", "a", { ...fields, ...withUid(fields) }) });
  expect(keys(index, "a", "enrolment")).toEqual(["enrolment uid-web"]);
  expect(workload(index, "uid-x") !== undefined).toBe(isKnown);
});

function withUid(fields: object): { readonly meta: Meta } {
  return { meta: { uid: "uid-x", ...("meta" in fields ? (fields.meta as Meta) : {}) } };
}

test("ClusterIndex: a pod that is not scheduled is not enrolled", () => {
  const index = shop();
  index.apply({ kind: "upsert", object: pod("shop/x", "") });
  expect(keys(index, "", "enrolment")).toEqual([]);
  expect(index.findWorkload("uid-x")).toBeUndefined();
});

test("ClusterIndex: the namespace's label enrols its running pods and lets them go", () => {
  const index = shop();
  const seen = watched(index, "a");
  index.apply({ kind: "upsert", object: object("Namespace", "shop", {}) });
  index.deliver();
  index.apply({
    kind: "upsert",
    object: object("Namespace", "shop", { meta: { labels: MESHED } }),
  });
  index.deliver();
  expect(seen).toEqual([["-enrolment uid-web"], ["+enrolment uid-web"]]);
});

test("ClusterIndex: a policy and the enrolments that refer to it come in one delivery, and leave in one", () => {
  const index = shop();
  const seen = watched(index, "a");
  const other = watched(index, "b");
  const spec = { selector: { matchLabels: { app: "web" } }, rules: [{}] };
  index.apply({ kind: "upsert", object: policy("shop/p", spec) });
  index.deliver();
  index.apply({ kind: "upsert", object: policy("shop/p", { ...spec, action: "DENY" }) });
  index.deliver();
  index.apply({ kind: "delete", object: policy("shop/p") });
  index.deliver();
  expect(seen).toEqual([
    ["+enrolment uid-web", "+policy shop/p"],
    ["+policy shop/p"],
    ["+enrolment uid-web", "-policy shop/p"],
  ]);
  expect(other).toEqual([]);
});

test("ClusterIndex: a policy moves with the labels of the pod that it selects", () => {
  const index = shop();
  const spec = { selector: { matchLabels: { app: "new" } }, rules: [{}] };
  index.apply({ kind: "upsert", object: policy("shop/p", spec) });
  const seen = watched(index, "a");
  const meta = { labels: { app: "new" }, uid: "uid-web" };
  index.apply({ kind: "upsert", object: pod("shop/web", "a", { meta }) });
  index.deliver();
  index.apply({ kind: "delete", object: pod("shop/web", "a", { meta }) });
  index.deliver();
  expect(seen).toEqual([
    ["+enrolment uid-web", "+policy shop/p"],
    ["-enrolment uid-web", "-policy shop/p", "-workload uid-web"],
  ]);
});

test.each([
  [
    "the policy is deleted",
    (index: ClusterIndex) => {
      index.apply({ kind: "delete", object: policy("shop/p") });
    },
  ],
  [
    "the Service picks other pods",
    (index: ClusterIndex) => {
      const spec = { selector: { app: "api" }, ports: [] };
      index.apply({ kind: "upsert", object: object("Service", "shop/s", { spec }) });
    },
  ],
  [
    "the Service is deleted",
    (index: ClusterIndex) => {
      index.apply({ kind: "delete", object: object("Service", "shop/s", {}) });
    },
  ],
])("ClusterIndex: a policy for a Service rules its pods until %s", (_, end) => {
  const index = shop();
  const spec = { targetRefs: [{ kind: "Service", name: "s" }], rules: [{}] };
  index.apply({ kind: "upsert", object: policy("shop/p", spec) });
  expect(keys(index, "a", "policy")).toEqual([]);
  const selector = { selector: { app: "web" }, ports: [] };
  index.apply({ kind: "upsert", object: object("Service", "shop/s", { spec: selector }) });
  expect(keys(index, "a", "policy")).toEqual(["policy shop/p"]);
  end(index);
  expect(keys(index, "a", "policy")).toEqual([]);
});

test("ClusterIndex: a policy of the root namespace rules every namespace, another's no one else", () => {
  const index = shop();
  index.apply({ kind: "upsert", object: policy("weft-system/all") });
  index.apply({ kind: "upsert", object: policy("other/none") });
  expect(keys(index, "a", "policy")).toEqual(["policy weft-system/all"]);
});

test("ClusterIndex: a policy that cannot be evaluated hurts only whom it selects", () => {
  const index = shop();
  const spec = { selector: { matchLabels: { app: "web" } }, action: "DENY", rules: [{ from: [] }] };
  index.apply({ kind: "upsert", object: policy("shop/bad", spec) });
  index.apply({ kind: "upsert", object: policy("shop/good") });
  const bad = index.resourcesFor("a").get("policy shop/bad")?.body.value;
  expect(bad).toMatchObject({ action: "DENY", invalid: true });
  expect(keys(index, "b", "policy")).toEqual(["policy shop/good"]);
  const states = index.policies().map(({ name, accepted, proofs }) => {
    return { name, accepted, held: proofs.map(({ node, key }) => `${node} ${key}`) };
  });
  expect(states).toEqual([
    { name: "bad", accepted: false, held: ["a policy shop/bad", "a enrolment uid-web"] },
    {
      name: "good",
      accepted: true,
      held: [
        "a policy shop/good",
        "a enrolment uid-web",
        "b policy shop/good",
        "b enrolment uid-api",
      ],
    },
  ]);
});

test("ClusterIndex: a PeerAuthentication is proven by the enrolments of the pods that it selects", () => {
  const index = shop();
  const spec = { selector: { matchLabels: { app: "api" } }, mtls: { mode: "STRICT" } };
  index.apply({ kind: "upsert", object: object("PeerAuthentication", "shop/strict", { spec }) });
  const version = index.resourcesFor("b").get("enrolment uid-api")?.version;
  expect(index.policies()).toMatchObject([
    { kind: "PeerAuthentication", proofs: [{ node: "b", key: "enrolment uid-api", version }] },
  ]);
  expect(workload(index, "uid-api")?.modes.default).toBe("STRICT");
  expect(workload(index, "uid-web")?.modes.default).toBe("PERMISSIVE");
});

function uncaptured(index: ClusterIndex): readonly object[] {
  return index.policies().map((state) => Object.fromEntries(state.uncaptured));
}

test("ClusterIndex: the pods that a policy rules and that are not captured now are counted by node", () => {
  const index = shop();
  index.apply({ kind: "upsert", object: policy("shop/p") });
  const spec = { selector: { matchLabels: { app: "api" } }, mtls: { mode: "STRICT" } };
  index.apply({ kind: "upsert", object: object("PeerAuthentication", "shop/strict", { spec }) });
  expect(uncaptured(index)).toEqual([{ a: 1, b: 1 }, { b: 1 }]);
  index.setReport(report("a", { "uid-web": "captured" }), 1000);
  index.setReport(report("b", { "uid-api": "captured" }), 1000);
  expect(uncaptured(index)).toEqual([{}, {}]);
  index.apply({ kind: "upsert", object: pod("shop/new", "a", { ip: "10.0.0.3" }) });
  index.setReport(report("b", { "uid-api": "failed" }), 1001);
  expect(uncaptured(index)).toEqual([{ a: 1, b: 1 }, { b: 1 }]);
});

test("ClusterIndex: the mesh's own namespace is never in the mesh, whatever its label says", () => {
  const index = createIndex(
    object("Namespace", "weft-system", { meta: { labels: MESHED } }),
    pod("weft-system/operator", "a", { meta: { uid: "uid-operator" } }),
  );
  expect(keys(index, "a", "enrolment")).toEqual([]);
  expect(index.findWorkload("uid-operator")).toBeUndefined();
});

test("ClusterIndex: portLevelMtls of a Service's port, which is no workload's, is told [F11]", () => {
  const index = shop();
  const ports = [
    { port: 80, targetPort: 8080 },
    { port: 81, targetPort: "named" },
  ];
  index.apply({
    kind: "upsert",
    object: object("Service", "shop/api", { spec: { selector: { app: "api" }, ports } }),
  });
  const mtls = { mode: "STRICT" };
  const spec = {
    selector: { matchLabels: { app: "api" } },
    portLevelMtls: { 80: mtls, 81: mtls, 8080: mtls },
  };
  index.apply({ kind: "upsert", object: object("PeerAuthentication", "shop/strict", { spec }) });
  expect(index.policies()[0]?.warnings).toEqual([
    { field: "spec.portLevelMtls.80", message: "is a Service's port, the workload's is 8080" },
  ]);
});

test("ClusterIndex: MeshConfig waits for nodes that have reported, not for those without a node proxy", () => {
  const index = shop();
  for (const node of ["a", "b"]) index.apply({ kind: "upsert", object: object("Node", node, {}) });
  index.apply({ kind: "upsert", object: object("MeshConfig", "default", { spec: {} }) });
  index.setReport(report("a", {}), 1000);
  expect(index.policies()).toMatchObject([{ proofs: [{ node: "a", key: "settings mesh" }] }]);
});

test("ClusterIndex: with certificates issued, another trust domain is an alias until a restart", () => {
  const index = shop();
  index.setBundle({ trustDomain: "old.example", roots: [], issuer: "", retired: [] });
  const spec = { trustDomain: "new.example", trustDomainAliases: ["old.example", "x.example"] };
  index.apply({ kind: "upsert", object: object("MeshConfig", "default", { spec }) });
  expect(index.resourcesFor("a").get("settings mesh")?.body.value).toMatchObject({
    trustDomain: "old.example",
    trustDomainAliases: ["new.example", "x.example"],
  });
  expect(index.policies()).toMatchObject([{ effect: "after_restart" }]);
  index.setBundle({ trustDomain: "new.example", roots: [], issuer: "", retired: [] });
  expect(index.meshSettings()).toMatchObject(spec);
  expect(index.policies()).toMatchObject([{ effect: "full" }]);
});

test("ClusterIndex: a bad MeshConfig leaves the last good settings in force", () => {
  const index = shop();
  const seen = watched(index, "a");
  for (const trustDomain of ["mesh.example", "NOT VALID"]) {
    index.apply({
      kind: "upsert",
      object: object("MeshConfig", "default", { spec: { trustDomain } }),
    });
    index.deliver();
    expect(index.meshSettings().trustDomain).toBe("mesh.example");
  }
  expect(seen).toEqual([["+settings mesh"]]);
});

test("ClusterIndex: a workload is tunnelled while its own node reports it captured", () => {
  const index = shop();
  index.setReport(report("b", { "uid-web": "captured" }), 1000);
  expect(workload(index, "uid-web")?.tunnel).toBe(false);
  index.setReport(report("a", { "uid-web": "captured" }), 1000);
  expect(workload(index, "uid-web")?.tunnel).toBe(true);
  index.setReport(report("a", { "uid-web": "releasing" }), 900);
  // Its own stream counts, even where the clock went back.
  expect(workload(index, "uid-web")?.tunnel).toBe(false);
});

test.each([
  ["later", "1970-01-01T00:00:02.000Z", true],
  ["earlier", "1970-01-01T00:00:00.500Z", false],
])("ClusterIndex: another replica's %s NodeReport: %s → tunnel %s", (_, reportedAt, tunnel) => {
  const index = shop();
  index.setReport(report("a", {}), 1000);
  const status = { reportedAt, captures: [{ uid: "uid-web", state: "captured" }] };
  index.apply({ kind: "upsert", object: object("NodeReport", "a", { status }) });
  expect(workload(index, "uid-web")?.tunnel).toBe(tunnel);
});

test("ClusterIndex: a deleted NodeReport or Node makes no caller fall back to plaintext", () => {
  const index = shop();
  index.apply({ kind: "upsert", object: object("Node", "a", {}) });
  index.setReport(report("a", { "uid-web": "captured" }), 1000);
  index.apply({ kind: "delete", object: object("NodeReport", "a", {}) });
  index.apply({ kind: "delete", object: object("Node", "a", {}) });
  expect(workload(index, "uid-web")?.tunnel).toBe(true);
});

test("ClusterIndex: a pod recreated under its name is another workload", () => {
  const index = shop();
  index.setReport(report("a", { "uid-web": "captured" }), 1000);
  const seen = watched(index, "b");
  const meta = { labels: { app: "web" }, uid: "uid-next" };
  index.apply({ kind: "upsert", object: pod("shop/web", "a", { meta }) });
  index.deliver();
  expect(seen).toEqual([["+workload uid-next", "-workload uid-web"]]);
  expect(workload(index, "uid-next")?.tunnel).toBe(false);
});

test("ClusterIndex: an enrolment knows the addresses its node's kubelet probes from", () => {
  const index = shop();
  const seen = watched(index, "a");
  const node = object("Node", "a", {
    spec: { podCIDR: "10.244.0.0/24" },
    status: { addresses: [{ type: "InternalIP", address: "192.0.2.1" }] },
  });
  index.apply({ kind: "upsert", object: node });
  index.apply({ kind: "upsert", object: node });
  index.deliver();
  const enrolment = index.resourcesFor("a").get("enrolment uid-web")?.body.value;
  expect(enrolment).toMatchObject({ nodeAddresses: ["192.0.2.1", "10.244.0.1"] });
  expect(seen).toEqual([["+enrolment uid-web"]]);
});

test("ClusterIndex.findWorkload(): only pods in the mesh, and whether they ended", () => {
  const index = shop();
  const facts = { node: "a", namespace: "shop", serviceAccount: "default", nodeGone: false };
  expect(index.findWorkload("uid-web")).toEqual({ ...facts, ended: false });
  expect(index.findWorkload("uid-nobody")).toBeUndefined();
  const ended = pod("shop/web", "a", { meta: { uid: "uid-web" }, phase: "Succeeded" });
  index.apply({ kind: "upsert", object: ended });
  expect(index.findWorkload("uid-web")).toEqual({ ...facts, ended: true });
  index.apply({ kind: "upsert", object: object("Namespace", "shop", {}) });
  expect(index.findWorkload("uid-web")).toBeUndefined();
});

test("ClusterIndex: a garbled pod is told and changes nothing; a second pod with a taken uid is ignored", () => {
  const index = shop();
  const seen = watched(index, "a");
  const spec = { serviceAccountName: "not/an account" };
  index.apply({ kind: "upsert", object: pod("shop/web", "a", { meta: { uid: "uid-web" }, spec }) });
  index.apply({ kind: "upsert", object: pod("shop/thief", "b", { meta: { uid: "uid-web" } }) });
  index.deliver();
  expect(seen).toEqual([]);
  expect(index.ignored()).toEqual([
    { object: "Pod shop/web", reasons: ["spec.serviceAccountName cannot be part of an identity"] },
    { object: "Pod shop/thief", reasons: ["metadata.uid is that of pod shop/web"] },
  ]);
  index.apply({ kind: "delete", object: pod("shop/thief", "b") });
  expect(index.ignored()).toHaveLength(1);
  expect(index.findWorkload("uid-web")?.node).toBe("a");
});

test("ClusterIndex: roots in another order are the same bundle", () => {
  const index = shop();
  const seen = watched(index, "a");
  const [one, two] = [Uint8Array.of(1), Uint8Array.of(2)];
  for (const roots of [[one, two], [two, one], [one]]) {
    index.setBundle({ trustDomain: "cluster.local", roots, issuer: "", retired: [] });
    index.deliver();
  }
  expect(seen).toEqual([["+bundle cluster.local"], ["+bundle cluster.local"]]);
});

test("ClusterIndex: what is applied in one turn of the event loop is delivered at once, by itself", async () => {
  const index = new ClusterIndex({ rootNamespace: "weft-system" });
  const seen = watched(index, "a");
  index.apply({
    kind: "upsert",
    object: object("Namespace", "shop", { meta: { labels: MESHED } }),
  });
  index.apply({ kind: "upsert", object: pod("shop/web", "a") });
  await new Promise((resolve) => setImmediate(resolve));
  expect(seen).toEqual([["+enrolment uid-web", "+workload uid-web"]]);
});

test("ClusterIndex: what is undone before it is delivered was never there, and a stopped watch is told nothing", () => {
  const index = shop();
  const seen = watched(index, "a");
  const late: Changes[] = [];
  const stop = index.watch("a", (changes) => late.push(changes));
  index.apply({ kind: "upsert", object: policy("shop/p") });
  index.apply({ kind: "delete", object: policy("shop/p") });
  index.deliver();
  expect(seen).toEqual([]);
  stop();
  index.apply({ kind: "upsert", object: policy("shop/p") });
  index.deliver();
  expect(seen).toHaveLength(1);
  expect(late).toHaveLength(1);
});

// Few names, so that histories meet: objects replace each other, come back, and move between nodes.
const name = fc.constantFrom("x", "y");
const namespace = fc.constantFrom("shop", "bank", "weft-system");
const label = fc.constantFrom("web", "api");
const node = fc.constantFrom("a", "b", "");
const scope = fc.oneof(
  fc.constant({}),
  label.map((app) => ({ selector: { matchLabels: { app } } })),
  name.map((service) => ({ targetRefs: [{ kind: "Service", name: service }] })),
);
const anyObject: fc.Arbitrary<KubeObject> = fc.oneof(
  fc
    .record({
      ns: namespace,
      name,
      node,
      app: label,
      uid: fc.nat(1),
      phase: fc.constantFrom("Running", "Failed"),
    })
    .map(({ ns, name: own, node: at, app, uid, phase }) =>
      pod(`${ns}/${own}`, at, { meta: { uid: `${ns}-${own}-${uid}`, labels: { app } }, phase }),
    ),
  fc
    .record({ ns: namespace, on: fc.boolean() })
    .map(({ ns, on }) => object("Namespace", ns, { meta: { labels: on ? MESHED : {} } })),
  fc
    .record({ ns: namespace, name, scope, action: fc.constantFrom("ALLOW", "DENY", "BAD") })
    .map(({ ns, name: own, scope: selected, action }) =>
      policy(`${ns}/${own}`, { ...selected, action, rules: [{}] }),
    ),
  fc
    .record({ ns: namespace, name, mode: fc.constantFrom("STRICT", "DISABLE") })
    .map(({ ns, name: own, mode }) =>
      object("PeerAuthentication", `${ns}/${own}`, { spec: { mtls: { mode } } }),
    ),
  fc
    .record({ ns: namespace, name, app: label })
    .map(({ ns, name: own, app }) =>
      object("Service", `${ns}/${own}`, { spec: { selector: { app }, clusterIP: "10.9.9.9" } }),
    ),
  fc
    .record({ name: node, ip: fc.constantFrom("192.0.2.1", "192.0.2.2") })
    .map(({ name: own, ip }) =>
      object("Node", own || "a", { status: { addresses: [{ type: "InternalIP", address: ip }] } }),
    ),
);
const anyStep = fc.record({
  change: fc.record({
    kind: fc.constantFrom("upsert" as const, "upsert" as const, "delete" as const),
    object: anyObject,
  }),
  delivers: fc.boolean(),
});

test("ClusterIndex: changes applied to nothing are always what the node must hold, and what a fresh index says", () => {
  fc.assert(
    fc.property(fc.array(anyStep, { maxLength: 40 }), (steps) => {
      const index = createIndex();
      const held = new Map<string, Resource>();
      index.watch("a", (changes) => applyTo(held, changes));
      const there = new Map<string, KubeObject>();
      for (const { change, delivers } of steps) {
        index.apply(change);
        const { kind, metadata } = change.object;
        const key = `${kind} ${metadata.namespace}/${metadata.name}`;
        if (change.kind === "upsert") there.set(key, change.object);
        else there.delete(key);
        if (delivers) index.deliver();
      }
      index.deliver();
      const wanted = sorted(createIndex(...there.values()).resourcesFor("a"));
      expect(sorted(index.resourcesFor("a"))).toEqual(wanted);
      expect(sorted(held)).toEqual(wanted);
    }),
    { numRuns: 300 },
  );
});

function applyTo(held: Map<string, Resource>, { upserts, removals }: Changes): void {
  const put = upserts.map((each) => resourceKey({ kind: each.body.kind, name: each.name }));
  // A name is in one list or the other, and only what is held is removed.
  expect(removals.filter((ref) => put.includes(resourceKey(ref)))).toEqual([]);
  expect(removals.every((ref) => held.has(resourceKey(ref)))).toBe(true);
  for (const ref of removals) held.delete(resourceKey(ref));
  for (const [i, each] of upserts.entries()) held.set(put[i] ?? "", each);
}

function sorted(resources: ReadonlyMap<string, Resource>): readonly [string, Resource][] {
  return [...resources].toSorted(([a], [b]) => (a < b ? -1 : 1));
}

test("ClusterIndex: what the operator writes into a policy's status compiles nothing again", () => {
  const index = shop();
  function written(part: object, status?: object): KubeObject {
    const object = policy("shop/p");
    return { ...object, metadata: { ...object.metadata, generation: 1, ...part }, status };
  }
  index.apply({ kind: "upsert", object: written({}) });
  const echo = written({}, { nodes: "1/1" });
  Object.defineProperty(echo, "spec", {
    get: () => {
      throw new Error("read again");
    },
  });
  index.apply({ kind: "upsert", object: echo });
  expect(index.policies()[0]?.status).toEqual({ nodes: "1/1" });
  const annotations = { "weft.dev/dry-run": "true" };
  index.apply({ kind: "upsert", object: written({ annotations }, { nodes: "1/1" }) });
  index.deliver();
  expect(index.policies()[0]?.effect).toBe("dry_run");
  const successor = { ...written({ uid: "other" }), spec: { action: "DENY", rules: [{}] } };
  index.apply({ kind: "upsert", object: successor });
  expect(index.resourcesFor("a").get("policy shop/p")?.body.value).toMatchObject({
    action: "DENY",
  });
});
