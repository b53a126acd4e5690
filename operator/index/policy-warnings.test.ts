import { expect, test } from "@jest/globals";
import { parseAuthorizationPolicy } from "../resources/authorization-policy.ts";
import { type KubeObject, parseKubeObject } from "../resources/kube-object.ts";
import { parsePeerAuthentication } from "../resources/peer-authentication.ts";
import { parseRequestAuthentication } from "../resources/request-authentication.ts";
import { parseTrafficPolicy } from "../resources/traffic-policy.ts";
import { ClusterIndex } from "./cluster-index.ts";

const ROOT = "weft-system";

function object(kind: string, metadata: object, rest: object = {}): KubeObject {
  const isOurs = /Policy|PeerAuth|MeshConfig/.test(kind);
  const apiVersion = isOurs ? "weft.dev/v1" : "v1";
  const parsed = parseKubeObject({
    apiVersion,
    kind,
    metadata: { uid: "u", ...metadata },
    ...rest,
  });
  if (parsed.kind === "refused") throw new Error(parsed.reasons.join());
  return parsed.value;
}

function pod(
  name: string,
  labels: Readonly<Record<string, string>>,
  namespace = "shop",
): KubeObject {
  const spec = { nodeName: "a", containers: [] };
  const status = { phase: "Running", podIP: "10.0.0.1" };
  return object("Pod", { namespace, name, uid: name, labels }, { spec, status });
}

const AUTHORIZER = { service: "opa.shop.svc.cluster.local", port: 9191 };
const PROVIDERS = [
  { name: "known", envoyExtAuthzGrpc: AUTHORIZER },
  { name: "web", envoyExtAuthzHttp: AUTHORIZER },
  {
    name: "reads-bodies",
    envoyExtAuthzGrpc: { ...AUTHORIZER, includeRequestBodyInCheck: { maxRequestBytes: 1024 } },
  },
];

/** Namespace shop is in the mesh with a pod `api` behind a Service on port 80 → 8080; `plain` is not. */
function shop(): ClusterIndex {
  const index = new ClusterIndex({ rootNamespace: ROOT, schedule: () => undefined });
  const ports = [{ port: 80, targetPort: 8080 }];
  for (const each of [
    object("Namespace", { name: "shop", labels: { "weft.dev/mesh": "enabled" } }),
    object("Namespace", { name: "plain" }),
    pod("api", { app: "api" }),
    pod("web", { app: "web" }),
    object(
      "Service",
      { namespace: "shop", name: "web" },
      {
        spec: {
          selector: { app: "web" },
          ports: [{ port: 80, targetPort: 8080, appProtocol: "http" }],
        },
      },
    ),
    pod("out", { app: "out", "weft.dev/mesh": "disabled" }),
    pod("plain", { app: "plain" }, "plain"),
    object(
      "Service",
      { namespace: "shop", name: "api" },
      { spec: { selector: { app: "api" }, ports } },
    ),
    object("Service", { namespace: "shop", name: "made-by-hand" }, { spec: { ports } }),
    object(
      "Service",
      { namespace: "shop", name: "idle" },
      { spec: { selector: { app: "none" }, ports } },
    ),
    object("MeshConfig", { name: "default" }, { spec: { extensionProviders: PROVIDERS } }),
  ]) {
    index.apply({ kind: "upsert", object: each });
  }
  return index;
}

interface Written {
  readonly kind?: string;
  readonly namespace?: string;
  readonly spec: object;
}

function told(index: ClusterIndex, written: Written): readonly string[] {
  const { kind = "AuthorizationPolicy", namespace = "shop", spec } = written;
  const raw = { apiVersion: "weft.dev/v1", kind, metadata: { name: "p", namespace }, spec };
  const parsed = parsedOf(kind, raw);
  if (parsed.kind === "refused")
    throw new Error(parsed.reasons.map(({ message }) => message).join());
  return index.warningsOf(parsed.value).map(({ field, message }) => `${field}: ${message}`);
}

function parsedOf(kind: string, raw: object) {
  switch (kind) {
    case "PeerAuthentication":
      return parsePeerAuthentication(raw);
    case "RequestAuthentication":
      return parseRequestAuthentication(raw);
    case "TrafficPolicy":
      return parseTrafficPolicy(raw);
    default:
      return parseAuthorizationPolicy(raw, { rootNamespace: ROOT });
  }
}

function tokens(app: string, namespace = "shop"): Written {
  const jwtRules = [{ issuer: "https://idp.example" }];
  return { kind: "RequestAuthentication", namespace, spec: select(app, { jwtRules }) };
}

function traffic(...names: readonly string[]): Written {
  const targetRefs = names.map((name) => ({ kind: "Service", name }));
  return { kind: "TrafficPolicy", spec: { targetRefs } };
}

const BLIND =
  "spec.jwtRules: no token can be seen on ports that are not read as HTTP: their Service must declare appProtocol";

function target(name: string): Written {
  return { spec: { targetRefs: [{ kind: "Service", name }], rules: [{}] } };
}

function select(app: string, more: object = { rules: [{}] }): object {
  return { selector: { matchLabels: { app } }, ...more };
}

function ports(...named: readonly string[]): object {
  return { rules: [{ to: [{ operation: { ports: named } }] }] };
}

const OUTSIDE =
  "is not in the mesh, so nothing enforces this: its label weft.dev/mesh must be enabled";
const STRICT = { mode: "STRICT" };

const cases: [string, Written, readonly string[]][] = [
  ["a policy that does what it says", { spec: select("api", ports("8080")) }, []],
  ["one of a whole namespace", { spec: { rules: [{}] } }, []],
  ["one of the whole mesh", { namespace: ROOT, spec: { rules: [{}] } }, []],
  [
    "a namespace outside the mesh",
    { namespace: "plain", spec: {} },
    [`metadata.namespace: plain ${OUTSIDE}`],
  ],
  [
    "a namespace that is not there",
    { namespace: "gone", spec: {} },
    [`metadata.namespace: gone ${OUTSIDE}`],
  ],
  [
    "a selector that matches nothing",
    { spec: select("typo") },
    ["spec.selector: selects no pod at the moment"],
  ],
  [
    "a selector of the root namespace that matches nothing",
    { namespace: ROOT, spec: select("typo") },
    ["spec.selector: selects no pod at the moment"],
  ],
  [
    "a selector of the root namespace that matches somewhere",
    { namespace: ROOT, spec: select("api") },
    [],
  ],
  [
    "a selector of pods that have opted out",
    { spec: select("out") },
    ["spec.selector: selects only pods that are not in the mesh"],
  ],
  [
    "a Service that is not there",
    target("gone"),
    [
      "spec.targetRefs[0].name: there is no Service gone in shop",
      "spec.targetRefs: selects no pod at the moment",
    ],
  ],
  [
    "a Service without a selector",
    target("made-by-hand"),
    [
      "spec.targetRefs[0].name: Service made-by-hand has no selector, so it picks no pod",
      "spec.targetRefs: selects no pod at the moment",
    ],
  ],
  ["a Service without pods", target("idle"), ["spec.targetRefs: selects no pod at the moment"]],
  ["a Service with pods", target("api"), []],
  [
    "a Service's port in a rule",
    { spec: select("api", ports("80", "8080", "9090")) },
    ["spec.rules[0].to[0].operation.ports: 80 is a Service's port, the workload's is 8080"],
  ],
  ["a port of which nothing is known", { spec: select("api", ports("9090")) }, []],
  [
    "an attribute of HTTP on an opaque port",
    { spec: { rules: [{ to: [{ operation: { methods: ["GET"] } }] }] } },
    [
      "spec.rules[0].to[0].operation.methods: cannot be seen on an opaque port, so this ALLOW rule matches nothing there",
    ],
  ],
  [
    "an attribute of HTTP in a DENY",
    { spec: { action: "DENY", rules: [{ to: [{ operation: { methods: ["GET"] } }] }] } },
    [
      "spec.rules[0].to[0].operation.methods: cannot be seen on an opaque port, so the rule matches without it there",
    ],
  ],
  [
    "a provider that nobody knows",
    { spec: { action: "CUSTOM", provider: { name: "opa" }, rules: [{}] } },
    ["spec.provider: no such provider is configured: what the rules match is denied"],
  ],
  [
    "a provider that MeshConfig names",
    { spec: { action: "CUSTOM", provider: { name: "known" }, rules: [{}] } },
    [],
  ],
  [
    "a provider that is asked over HTTP",
    { spec: { action: "CUSTOM", provider: { name: "web" }, rules: [{}] } },
    ["spec.provider: is asked over HTTP, so what the rules match on an opaque port is denied"],
  ],
  ["a RequestAuthentication of pods that nobody declares as HTTP", tokens("api"), [BLIND]],
  ["a RequestAuthentication of a pod with an HTTP port", tokens("web"), []],
  [
    "a RequestAuthentication that selects nothing",
    tokens("typo"),
    ["spec.selector: selects no pod at the moment"],
  ],
  [
    "a RequestAuthentication of pods that have opted out",
    tokens("out"),
    ["spec.selector: selects only pods that are not in the mesh"],
  ],
  [
    "a RequestAuthentication in a namespace outside the mesh",
    tokens("plain", "plain"),
    [
      `metadata.namespace: plain ${OUTSIDE}`,
      "spec.selector: selects only pods that are not in the mesh",
    ],
  ],
  ["a TrafficPolicy of Services that are there", traffic("api", "idle"), []],
  [
    "a TrafficPolicy of a Service that is not there",
    traffic("api", "gone"),
    ["spec.targetRefs: there is no Service gone"],
  ],
  [
    "a provider that is to see bodies",
    { spec: { action: "CUSTOM", provider: { name: "reads-bodies" }, rules: [{}] } },
    ["spec.provider: is asked without bodies, so it decides by the head of a request alone"],
  ],
  [
    "[F11] a Service's port in portLevelMtls",
    {
      kind: "PeerAuthentication",
      spec: select("api", { portLevelMtls: { 80: STRICT, 8080: STRICT } }),
    },
    ["spec.portLevelMtls.80: is a Service's port, the workload's is 8080"],
  ],
  [
    "a PeerAuthentication that selects nothing",
    { kind: "PeerAuthentication", spec: select("typo", { mtls: STRICT }) },
    ["spec.selector: selects no pod at the moment"],
  ],
  [
    "a PeerAuthentication outside the mesh",
    { kind: "PeerAuthentication", namespace: "plain", spec: { mtls: STRICT } },
    [`metadata.namespace: plain ${OUTSIDE}`],
  ],
];

for (const [name, written, expected] of cases) {
  test(`warningsOf(): ${name}`, () => {
    expect(told(shop(), written)).toEqual(expected);
  });
}

test("policies(): the status goes on telling what stays wrong, until it is put right", () => {
  const index = shop();
  const spec = { targetRefs: [{ kind: "Service", name: "late" }], rules: [{}] };
  index.apply({
    kind: "upsert",
    object: object("AuthorizationPolicy", { namespace: "plain", name: "p" }, { spec }),
  });
  function warnings(): readonly string[] {
    const states = index.policies().filter(({ kind }) => kind !== "MeshConfig");
    return states.flatMap((state) => state.warnings.map(({ field }) => field));
  }
  expect(warnings()).toEqual(["metadata.namespace", "spec.targetRefs[0].name"]);
  index.apply({
    kind: "upsert",
    object: object(
      "Service",
      { namespace: "plain", name: "late" },
      { spec: { selector: { app: "plain" } } },
    ),
  });
  expect(warnings()).toEqual(["metadata.namespace"]);
  const labels = { "weft.dev/mesh": "enabled" };
  index.apply({ kind: "upsert", object: object("Namespace", { name: "plain", labels }) });
  expect(warnings()).toEqual([]);
});

test("policies(): what the status says of a provider follows MeshConfig", () => {
  const index = shop();
  const [config] = index.policies().filter(({ kind }) => kind === "MeshConfig");
  expect(config?.warnings).toEqual([
    {
      field: "spec.extensionProviders[2].envoyExtAuthzGrpc.includeRequestBodyInCheck",
      message: "is not done: it is asked without bodies",
    },
  ]);
  const spec = { action: "CUSTOM", provider: { name: "known" }, rules: [{}] };
  index.apply({
    kind: "upsert",
    object: object("AuthorizationPolicy", { namespace: "shop", name: "p" }, { spec }),
  });
  function effects(): readonly string[] {
    return index.policies().flatMap((state) => state.notes.map(({ effect }) => effect));
  }
  function configure(extensionProviders: readonly object[]): void {
    const config = object("MeshConfig", { name: "default" }, { spec: { extensionProviders } });
    index.apply({ kind: "upsert", object: config });
  }
  expect(effects()).toEqual([]);
  configure([{ name: "known", envoyExtAuthzHttp: AUTHORIZER }]);
  expect(effects()).toEqual(["provider_http_only"]);
  const withBody = { ...AUTHORIZER, includeRequestBodyInCheck: { maxRequestBytes: 1024 } };
  configure([{ name: "known", envoyExtAuthzHttp: withBody }]);
  expect(effects()).toEqual(["provider_http_only", "provider_without_body"]);
  configure([{ name: "other", envoyExtAuthzGrpc: AUTHORIZER }]);
  expect(effects()).toEqual(["provider_unknown"]);
  configure(PROVIDERS);
  expect(effects()).toEqual([]);
});
