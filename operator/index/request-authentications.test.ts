/** RequestAuthentications through the index: which pods they select, what nodes are told, what the status says. */
import { expect, test } from "@jest/globals";
import { type KubeObject, parseKubeObject } from "../resources/kube-object.ts";
import { ClusterIndex } from "./cluster-index.ts";

const UID = "11111111-1111-1111-1111-111111111111";

function object(kind: string, name: string, fields: Readonly<Record<string, unknown>>): KubeObject {
  const [namespace, own] = name.includes("/") ? name.split("/") : ["", name];
  const apiVersion = kind === "RequestAuthentication" ? "weft.dev/v1" : "v1";
  const { metadata: more = {}, ...rest } = fields;
  const metadata = { namespace, name: own, ...Object(more) };
  const parsed = parseKubeObject({ apiVersion, kind, metadata, ...rest });
  if (parsed.kind === "refused") throw new Error(parsed.reasons.join());
  return parsed.value;
}

function createIndex(): ClusterIndex {
  const index = new ClusterIndex({ rootNamespace: "weft-system", schedule: () => undefined });
  for (const each of [
    object("Namespace", "shop", { metadata: { labels: { "weft.dev/mesh": "enabled" } } }),
    object("Node", "a", {}),
    object("Service", "shop/api", { spec: { clusterIP: "10.9.0.1", selector: { app: "api" } } }),
    object("Pod", "shop/api-1", {
      metadata: { uid: UID, labels: { app: "api" } },
      spec: { nodeName: "a", serviceAccountName: "api" },
      status: { podIP: "10.0.0.5", podIPs: [{ ip: "10.0.0.5" }], phase: "Running" },
    }),
  ]) {
    index.apply({ kind: "upsert", object: each });
  }
  return index;
}

function authentication(name: string, spec: object): KubeObject {
  const jwtRules = [{ issuer: "https://a.example" }];
  return object("RequestAuthentication", name, { spec: { jwtRules, ...spec } });
}

function namedBy(index: ClusterIndex): unknown {
  index.deliver();
  const body = index.resourcesFor("a").get(`enrolment ${UID}`)?.body;
  return body?.kind === "enrolment" ? body.value.requestAuthentications : "not enrolled";
}

test("ClusterIndex: RequestAuthentications reach pods by namespace, label, Service and from the root", () => {
  const index = createIndex();
  expect(namedBy(index)).toBeUndefined();
  for (const each of [
    authentication("shop/all", {}),
    authentication("shop/label", { selector: { matchLabels: { app: "api" } } }),
    authentication("shop/service", { targetRefs: [{ kind: "Service", name: "api" }] }),
    authentication("weft-system/mesh", {}),
    authentication("shop/other", { selector: { matchLabels: { app: "web" } } }),
    authentication("other/all", {}),
  ]) {
    index.apply({ kind: "upsert", object: each });
  }
  expect(namedBy(index)).toEqual(["shop/all", "shop/label", "shop/service", "weft-system/mesh"]);
  for (const name of ["shop/all", "shop/label", "weft-system/mesh"]) {
    index.apply({ kind: "delete", object: authentication(name, {}) });
  }
  expect(namedBy(index)).toEqual(["shop/service"]);
  const held = [...index.resourcesFor("a").keys()].filter((key) =>
    key.startsWith("requestAuthentication "),
  );
  expect(held.toSorted()).toEqual(
    ["other/all", "shop/other", "shop/service"].map((name) => `requestAuthentication ${name}`),
  );
});

test("ClusterIndex: a RequestAuthentication that cannot be read is told to nodes as invalid", () => {
  const index = createIndex();
  index.apply({ kind: "upsert", object: authentication("shop/bad", { jwtRules: [{}] }) });
  expect(namedBy(index)).toEqual(["shop/bad"]);
  const resources = index.resourcesFor("a");
  expect(resources.get("requestAuthentication shop/bad")?.body.value).toEqual({
    ref: "shop/bad",
    invalid: true,
    rules: [],
  });
  const state = index.policies().find(({ name }) => name === "bad");
  expect(state).toMatchObject({
    kind: "RequestAuthentication",
    accepted: false,
    proofs: [
      { node: "a", key: "requestAuthentication shop/bad" },
      { node: "a", key: `enrolment ${UID}` },
    ],
  });
});
