import { expect, test } from "@jest/globals";
import { type Changes, resourceKey } from "../../core/model/resource.ts";
import { formatCertificatesPem } from "../../core/x509/pem.ts";
import { type Crafted, createCraftedRoot } from "../../test/fakes/crafted-ca.ts";
import { type KubeObject, parseKubeObject } from "../resources/kube-object.ts";
import { acceptedCondition } from "../status/acceptance.ts";
import { enforcementOf } from "../status/enforcement.ts";
import { ClusterIndex } from "./cluster-index.ts";

const OWN = createCraftedRoot("own");
const ONE = createCraftedRoot("one");
const TWO = createCraftedRoot("two");

function object(kind: string, name: string, spec?: object): KubeObject {
  const apiVersion = kind === "Node" ? "v1" : "weft.dev/v1";
  const parsed = parseKubeObject({ apiVersion, kind, metadata: { name }, spec });
  if (parsed.kind === "refused") throw new Error(parsed.reasons.join());
  return parsed.value;
}

function trust(name: string, trustDomain: string, ...roots: readonly Crafted[]): KubeObject {
  const pem = formatCertificatesPem(roots.map(({ der }) => der));
  return object("TrustBundle", name, { trustDomain, roots: pem });
}

function createIndex(): ClusterIndex {
  const index = new ClusterIndex({ rootNamespace: "weft-system", schedule: () => undefined });
  setOwn(index, "cluster.local");
  return index;
}

function setOwn(index: ClusterIndex, trustDomain: string): void {
  index.setBundle({ trustDomain, roots: [OWN.der], issuer: "aa", retired: ["bb"] });
}

function put(index: ClusterIndex, ...objects: readonly KubeObject[]): void {
  for (const each of objects) index.apply({ kind: "upsert", object: each });
}

/** Trust domain → its roots, as a node holds them. */
function held(index: ClusterIndex): Readonly<Record<string, readonly Uint8Array[]>> {
  const bundles = [...index.resourcesFor("a").values()].flatMap(({ body }) =>
    body.kind === "bundle" ? [[body.value.trustDomain, body.value.roots] as const] : [],
  );
  return Object.fromEntries(bundles);
}

function conditionsOf(index: ClusterIndex, name: string, nowMs = 0) {
  const state = index.policies(nowMs).find((each) => each.name === name);
  if (!state) throw new Error(`no ${name}`);
  return { state, accepted: acceptedCondition(state) };
}

test("Federation: a foreign trust domain is a bundle of its own, without issuer and retired", () => {
  const index = createIndex();
  const seen: Changes[] = [];
  index.watch("a", (changes) => seen.push(changes));
  put(index, trust("partner", "partner.example", ONE));
  index.deliver();
  expect(seen.at(-1)?.upserts.map(({ body }) => body)).toEqual([
    {
      kind: "bundle",
      value: { trustDomain: "partner.example", roots: [ONE.der], issuer: "", retired: [] },
    },
  ]);
  index.apply({ kind: "delete", object: trust("partner", "partner.example", ONE) });
  index.deliver();
  expect(seen.at(-1)?.removals.map(resourceKey)).toEqual(["bundle partner.example"]);
});

test("Federation: two objects for one trust domain: the roots of both count, in whatever order they came", () => {
  const objects = [trust("old", "partner.example", ONE), trust("new", "partner.example", TWO, ONE)];
  const [one, two] = [createIndex(), createIndex()];
  put(one, ...objects);
  put(two, ...objects.toReversed());
  expect(held(one)["partner.example"]).toHaveLength(2);
  const [version, other] = [one, two].map((index) => {
    return index.resourcesFor("a").get("bundle partner.example")?.version;
  });
  expect(version).toBe(other);
  one.apply({ kind: "delete", object: trust("old", "partner.example", ONE) });
  expect(held(one)["partner.example"]).toHaveLength(2);
  put(one, trust("new", "partner.example", TWO));
  expect(held(one)["partner.example"]).toEqual([TWO.der]);
});

test("Federation: a bad object hurts only itself, and what it said before is not trusted any more", () => {
  const index = createIndex();
  put(index, trust("partner", "partner.example", ONE), trust("other", "other.example", TWO));
  put(index, object("TrustBundle", "partner", { trustDomain: "partner.example", roots: "none" }));
  expect(Object.keys(held(index)).toSorted()).toEqual(["cluster.local", "other.example"]);
  expect(conditionsOf(index, "partner").accepted).toMatchObject({
    status: "False",
    reason: "Invalid",
  });
});

test("Federation: nobody speaks for the mesh's own trust domain", () => {
  const index = createIndex();
  put(index, trust("takeover", "cluster.local", ONE));
  expect(held(index)).toEqual({ "cluster.local": [OWN.der] });
  const { state, accepted } = conditionsOf(index, "takeover");
  expect(accepted).toMatchObject({ status: "False", reason: "OwnTrustDomain" });
  expect(enforcementOf(state, new Map()).condition.reason).toBe("Invalid");
  index.apply({ kind: "delete", object: trust("takeover", "cluster.local", ONE) });
  expect(held(index)).toEqual({ "cluster.local": [OWN.der] });
});

test("Federation: an object read before the own trust domain is known gives way to it", () => {
  const index = new ClusterIndex({ rootNamespace: "weft-system", schedule: () => undefined });
  put(index, trust("takeover", "mesh.example", ONE));
  expect(held(index)).toEqual({ "mesh.example": [ONE.der] });
  setOwn(index, "mesh.example");
  expect(held(index)).toEqual({ "mesh.example": [OWN.der] });
});

test("Federation: enforced once every node that has reported holds that version", () => {
  const index = createIndex();
  put(index, object("Node", "a"), object("Node", "b"), trust("partner", "partner.example", ONE));
  const report = { version: "1", captures: [], leaves: [], bundles: [], olderTunnels: [] };
  index.setReport({ ...report, node: "a" }, 1000);
  const { state } = conditionsOf(index, "partner");
  expect(state.proofs).toMatchObject([{ node: "a", key: "bundle partner.example" }]);
  expect(enforcementOf(state, new Map()).condition).toMatchObject({ reason: "Progressing" });
  const version = state.proofs[0]?.version ?? "";
  const applied = { held: new Map([["bundle partner.example", { version }]]), refused: [] };
  expect(enforcementOf(state, new Map([["a", applied]])).condition).toMatchObject({
    status: "True",
    message: "1 of 1 nodes",
  });
});

test("Federation: more roots than nodes are told of are named in the object that comes last", () => {
  const index = createIndex();
  const roots = Array.from({ length: 66 }, (_, i) => createCraftedRoot(`root ${i}`));
  for (let i = 0; i < 5; i += 1) {
    put(index, trust(`part-${i}`, "partner.example", ...roots.slice(i * 16, i * 16 + 16)));
  }
  expect(held(index)["partner.example"]).toHaveLength(64);
  expect(conditionsOf(index, "part-3").accepted.message).toBe("");
  expect(conditionsOf(index, "part-4").accepted.message).toContain("2 of them do not count");
});

test("Federation: an alias of ours and a root that has ended are told", () => {
  const index = createIndex();
  put(index, object("MeshConfig", "default", { trustDomainAliases: ["partner.example"] }));
  put(index, trust("partner", "partner.example", ONE));
  const now = Date.now();
  expect(conditionsOf(index, "partner", now).accepted.message).toContain("is an alias");
  expect(conditionsOf(index, "partner", now).accepted.message).not.toContain("ended at");
  const { accepted } = conditionsOf(index, "partner", now + 7_200_000);
  expect(accepted).toMatchObject({ status: "True", message: expect.stringContaining("ended at") });
});
