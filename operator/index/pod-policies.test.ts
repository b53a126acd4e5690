import { expect, test } from "@jest/globals";
import { type KubeObject, parseKubeObject } from "../resources/kube-object.ts";
import { ClusterIndex } from "./cluster-index.ts";

function object(kind: string, name: string, fields: object): KubeObject {
  const [namespace, own] = name.includes("/") ? name.split("/") : ["", name];
  const isOurs = kind.startsWith("Authorization") || kind.endsWith("Authentication");
  const { metadata = {}, ...rest } = fields as { readonly metadata?: object };
  const parsed = parseKubeObject({
    apiVersion: isOurs ? "weft.dev/v1" : "v1",
    kind,
    metadata: { namespace, name: own, uid: `uid-${own}`, ...metadata },
    ...rest,
  });
  if (parsed.kind === "refused") throw new Error(parsed.reasons.join());
  return parsed.value;
}

const POD = object("Pod", "shop/web-1", {
  metadata: { labels: { app: "web" } },
  spec: { nodeName: "a", containers: [] },
  status: { podIP: "10.0.0.1", podIPs: [{ ip: "10.0.0.1" }] },
});
const MESHED = object("Namespace", "shop", {
  metadata: { labels: { "weft.dev/mesh": "enabled" } },
});
const SERVICE = object("Service", "shop/web", {
  spec: {
    clusterIP: "10.96.0.1",
    selector: { app: "web" },
    ports: [{ port: 80, targetPort: 8080 }],
  },
});

function policiesOf(...objects: readonly KubeObject[]) {
  const index = new ClusterIndex({ rootNamespace: "weft-system", schedule: () => undefined });
  for (const each of [MESHED, POD, SERVICE, ...objects])
    index.apply({ kind: "upsert", object: each });
  return index.podPolicies("shop/web-1");
}

function policy(name: string, spec: object, annotations: object = {}): KubeObject {
  return object("AuthorizationPolicy", name, { metadata: { annotations }, spec });
}

function peer(name: string, spec: object): KubeObject {
  return object("PeerAuthentication", name, { spec });
}

test("podPolicies(): each policy with why it applies, in the order of evaluation", () => {
  const selector = { matchLabels: { app: "web" } };
  const rules = [{ to: [{ operation: { methods: ["GET"] } }] }];
  const found = policiesOf(
    policy("shop/all", { action: "ALLOW", rules: [{}] }),
    policy("shop/a-trial", { action: "DENY", rules: [{}] }, { "weft.dev/dry-run": "true" }),
    policy("shop/notes", { action: "AUDIT", rules: [{}] }),
    policy("shop/ask", { action: "CUSTOM", provider: { name: "opa" }, selector, rules: [{}] }),
    policy("shop/target", {
      action: "DENY",
      targetRefs: [{ kind: "Service", name: "web" }],
      rules,
    }),
    policy("weft-system/mesh", { action: "DENY", rules: [{}] }),
    policy("shop/other", { action: "DENY", selector: { matchLabels: { app: "x" } }, rules: [{}] }),
    policy("elsewhere/all", { action: "DENY", rules: [{}] }),
  );
  expect(found?.policies).toMatchObject([
    {
      policy: "shop/ask",
      action: "CUSTOM",
      provider: "opa",
      from: "selector",
      selects: ["app=web"],
    },
    {
      policy: "shop/target",
      from: "targetRefs",
      selects: ["web"],
      ignored: [{ effect: "attribute_erased" }],
    },
    { policy: "weft-system/mesh", from: "mesh", selects: [] },
    { policy: "shop/all", action: "ALLOW", from: "namespace", rules: 1 },
    { policy: "shop/notes", action: "AUDIT" },
    { policy: "shop/a-trial", dryRun: true },
  ]);
  expect(found).toMatchObject({ pod: "shop/web-1", node: "a", meshed: true, captured: false });
});

test("podPolicies(): each port with its mode and the PeerAuthentication that says so", () => {
  const selector = { matchLabels: { app: "web" } };
  const portLevelMtls = { 9000: { mode: "DISABLE" }, 9001: { mode: "UNSET" } };
  const own = peer("shop/own", { selector, mtls: { mode: "UNSET" }, portLevelMtls });
  const wide = peer("shop/wide", { mtls: { mode: "STRICT" } });
  const mesh = peer("weft-system/mesh", { mtls: { mode: "PERMISSIVE" } });
  const strict = { mode: "STRICT", policy: "shop/wide", from: "namespace" };
  expect(policiesOf(own, wide, mesh)?.modes).toEqual([
    { port: 8080, ...strict },
    { port: 9000, mode: "DISABLE", policy: "shop/own", from: "port" },
    { port: 0, ...strict },
  ]);
  const permissive = { mode: "PERMISSIVE", policy: "weft-system/mesh", from: "mesh" };
  expect(policiesOf(mesh)?.modes).toEqual([
    { port: 8080, ...permissive },
    { port: 0, ...permissive },
  ]);
  const nobody = { mode: "PERMISSIVE", policy: "", from: "default" };
  expect(policiesOf()?.modes).toEqual([
    { port: 8080, ...nobody },
    { port: 0, ...nobody },
  ]);
});

test("podPolicies(): each RequestAuthentication with its issuers and why it applies, by name", () => {
  const jwtRules = [{ issuer: "https://a.example" }, { issuer: "https://b.example" }];
  const again = [...jwtRules, { issuer: "https://a.example", fromParams: ["t"] }];
  const targetRefs = [{ kind: "Service", name: "web" }];
  const found = policiesOf(
    object("RequestAuthentication", "weft-system/mesh", { spec: { jwtRules: again } }),
    object("RequestAuthentication", "shop/web", { spec: { jwtRules, targetRefs } }),
    object("RequestAuthentication", "shop/broken", { spec: { jwtRules: [{ issuer: "" }] } }),
    object("RequestAuthentication", "shop/none", {
      spec: { jwtRules: [], selector: { matchLabels: { app: "web" } } },
    }),
    object("RequestAuthentication", "shop/x", {
      spec: { jwtRules, selector: { matchLabels: { app: "x" } } },
    }),
    object("RequestAuthentication", "elsewhere/all", { spec: { jwtRules } }),
  );
  const issuers = ["https://a.example", "https://b.example"];
  expect(found?.requestAuthentications).toEqual([
    { policy: "shop/broken", from: "namespace", selects: [], invalid: true, issuers: [] },
    { policy: "shop/none", from: "selector", selects: ["app=web"], invalid: false, issuers: [] },
    { policy: "shop/web", from: "targetRefs", selects: ["web"], invalid: false, issuers },
    { policy: "weft-system/mesh", from: "mesh", selects: [], invalid: false, issuers },
  ]);
  expect(policiesOf()?.requestAuthentications).toEqual([]);
});

test("podPolicies(): undefined for a pod that is not there", () => {
  const index = new ClusterIndex({ rootNamespace: "weft-system", schedule: () => undefined });
  expect(index.podPolicies("shop/web-1")).toBeUndefined();
});
