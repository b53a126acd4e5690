import { expect, test } from "@jest/globals";
import type { CompiledPolicy, Rule, Source } from "../../core/model/authorization-policy.ts";
import { NOTHING_EXCLUDED } from "../../core/model/capture-exclusions.ts";
import type { DeniedAttempt } from "../../core/model/denied-attempt.ts";
import type { Enrolment } from "../../core/model/enrolment.ts";
import type { MtlsMode } from "../../core/model/mtls-modes.ts";
import type { JwtRule, RequestAuthentication } from "../../core/model/request-authentication.ts";
import type { Workload } from "../../core/model/workload.ts";
import { answerWhy } from "./answer-why.ts";
import { explainDenial } from "./explain-denial.ts";
import type { MeshView } from "./mesh-view.ts";
import type { WhyAnswer, WhyQuery } from "./why-answer.ts";

type Answered = Extract<WhyAnswer, { readonly kind: "answer" }>;

const SOURCE: Source = {
  principals: [],
  notPrincipals: [],
  namespaces: [],
  notNamespaces: [],
  serviceAccounts: [],
  notServiceAccounts: [],
  trustDomains: [],
  notTrustDomains: [],
  ipBlocks: [],
  notIpBlocks: [],
};

function workload(name: string, address: string, more: Partial<Workload> = {}): Workload {
  return {
    uid: `uid-${name}`,
    namespace: "shop",
    name,
    serviceAccount: name.replace(/-\d$/, ""),
    node: "node-a",
    addresses: [address],
    tunnel: true,
    modes: { default: "PERMISSIVE", ports: [] },
    owner: name,
    weight: 1,
    ...more,
  };
}

function enrolment(of: Workload, policies: readonly string[]): Enrolment {
  const { uid, namespace, name, serviceAccount, addresses, modes, owner } = of;
  const pod = { uid, namespace, name, serviceAccount, addresses, modes, owner, policies };
  const none = { probes: [], nodeAddresses: [], exclusions: NOTHING_EXCLUDED };
  return { ...pod, ...none, netnsPath: "", zone: "" };
}

function from(serviceAccount: string): Rule {
  const source = { ...SOURCE, serviceAccounts: [{ namespace: "shop", name: serviceAccount }] };
  return { index: 0, from: [source], to: [], when: [] };
}

const GET: Rule = {
  index: 0,
  from: [],
  to: [
    {
      ports: [],
      notPorts: [],
      layer7: {
        hosts: [],
        notHosts: [],
        methods: [{ kind: "exact", value: "GET" }],
        notMethods: [],
        paths: [],
        notPaths: [],
      },
    },
  ],
  when: [],
};

function policy(name: string, action: CompiledPolicy["action"], rules: readonly Rule[]) {
  const flags = { dryRun: false, invalid: false };
  return { ref: `shop/${name}`, action, ...flags, rules };
}

const RULE: JwtRule = {
  issuer: "https://a.example",
  audiences: [],
  keys: { kind: "discovered" },
  fromHeaders: [{ name: "authorization", prefix: "Bearer " }],
  fromParams: [],
  fromCookies: [],
  outputPayloadToHeader: "",
  outputClaimToHeaders: [],
  forwardOriginalToken: false,
  timeoutMs: 5_000,
};
const TAKES: RequestAuthentication = { ref: "shop/jwt", invalid: false, rules: [RULE] };

interface Wish {
  readonly policies?: readonly CompiledPolicy[];
  readonly mode?: MtlsMode;
  readonly captured?: boolean;
  readonly excluded?: readonly number[];
  readonly authentications?: readonly RequestAuthentication[];
  readonly tlsPorts?: readonly number[];
}

/** web-1 calls; api-1 lives on this node, api-2 on another, old-1 is not in the mesh. */
function view({
  policies = [],
  mode = "PERMISSIVE",
  captured = true,
  excluded = [],
  authentications = [],
  tlsPorts = [],
}: Wish = {}): MeshView {
  const modes = { default: mode, ports: [] };
  const api = workload("api-1", "10.0.0.2", { modes, tunnel: captured });
  const far = workload("api-2", "10.0.1.2", { node: "node-b", modes });
  const ruled = enrolment(
    api,
    policies.map(({ ref }) => ref),
  );
  const exclusions = { ...NOTHING_EXCLUDED, inboundPorts: excluded };
  const requestAuthentications = authentications.map(({ ref }) => ref);
  return {
    node: "node-a",
    workloads: [
      workload("web-1", "10.0.0.1"),
      api,
      far,
      workload("old-1", "10.0.0.9", { tunnel: false }),
    ],
    enrolments: new Map([[api.uid, { ...ruled, exclusions, requestAuthentications, tlsPorts }]]),
    services: new Map([
      [
        "shop/api",
        {
          namespace: "shop",
          name: "api",
          addresses: ["10.96.0.7"],
          ports: [{ port: 80, name: "", appProtocol: "" }],
          algorithm: "round_robin",
          localOnly: false,
          distribution: "anywhere",
          affinitySeconds: 0,
        },
      ],
    ]),
    policies: new Map(policies.map((each) => [each.ref, each])),
    requestAuthentications: new Map(authentications.map((each) => [each.ref, each])),
    slices: [
      {
        namespace: "shop",
        name: "api-x",
        service: "api",
        ports: [{ name: "", port: 8080 }],
        endpoints: [api, far].map(({ uid, node, addresses: [address = ""] }) => ({
          address,
          workload: uid,
          node,
          ready: true,
          draining: false,
          zone: "",
          forZones: [],
          forNodes: [],
        })),
      },
    ],
    settings: {
      trustDomain: "cluster.local",
      trustDomainAliases: [],
      leafLifetimeSeconds: 86_400,
      accessLog: true,
      outboundPolicy: "ALLOW_ANY",
    },
  };
}

const QUERY: WhyQuery = {
  from: "shop/web-1",
  to: "shop/api-1:8080",
  plaintext: false,
  asHttp: false,
};

function ask(of: MeshView, query: Partial<WhyQuery> = {}): Answered {
  const answer = answerWhy(of, { ...QUERY, ...query });
  if (answer.kind !== "answer") throw new Error(answer.reason);
  return answer;
}

function judged(of: MeshView, query: Partial<WhyQuery> = {}) {
  const [target] = ask(of, query).targets;
  if (!target?.judgement) throw new Error("not judged here");
  return target.judgement;
}

test("answerWhy(): a pod is its identity and its address, and the deciding policy and rule are named", () => {
  const deny = policy("no-web", "DENY", [from("web")]);
  const answer = ask(view({ policies: [deny] }));
  expect(answer.caller).toEqual({
    kind: "pod",
    name: "shop/web-1",
    identity: { trustDomain: "cluster.local", namespace: "shop", serviceAccount: "web" },
    address: "10.0.0.1",
    tunnels: true,
  });
  expect(answer.targets[0]?.judgement).toMatchObject({
    enforced: "yes",
    arrives: "mutual_tls",
    mode: "PERMISSIVE",
    readAs: "opaque",
    outcome: { kind: "deny", reason: "denied_by_policy", policy: "shop/no-web", rule: 0 },
    explanation: { policies: [{ policy: "shop/no-web", matched: true }] },
  });
});

test("answerWhy(): a Service is its endpoints with the workload's port; another node's are left to it", () => {
  const { destination, targets } = ask(view(), { to: "shop/api" });
  expect(destination).toEqual({ kind: "service", name: "shop/api", port: 80 });
  expect(targets).toEqual([
    expect.objectContaining({ workload: "shop/api-1", port: 8080, judgement: expect.anything() }),
    { workload: "shop/api-2", uid: "uid-api-2", node: "node-b", address: "10.0.1.2", port: 8080 },
  ]);
});

test.each([
  ["shop/api:80", 80, 2],
  ["svc:shop/api", 80, 2],
  ["api.shop.svc.cluster.local:80", 80, 2],
  ["10.96.0.7:80", 80, 2],
  ["shop/api-1", 8080, 1],
  ["pod:shop/api-1:9", 9, 1],
  ["10.0.0.2:8080", 8080, 1],
  ["203.0.113.1:443", 443, 1],
  ["[2001:db8::1]:443", 443, 1],
])("answerWhy(): --to %s is port %i and %i targets", (to, port, targets) => {
  const answer = ask(view(), { to });
  expect([answer.destination.port, answer.targets.length]).toEqual([port, targets]);
});

test.each([
  ["shop/web-1", "shop/nobody:80", /no such Service/],
  ["shop/web-1", "shop/api:81", /no such port, only 80/],
  ["shop/web-1", "shop/api-1:70000", /not 1 to 65535/],
  ["shop/web-1", "shop/old-1", /which port\? no Service names one/],
  ["shop/web-1", "203.0.113.1", /which port/],
  ["shop/web-1", "nonsense", /none of/],
  ["nonsense", "shop/api", /none of/],
  ["pod:shop/nobody", "shop/api", /no such pod/],
  ["spiffe://x/ns/a", "shop/api", /not spiffe/],
  ["shop/UPPER", "shop/api", /cannot be part/],
])("answerWhy(): --from %s --to %s is not known", (caller, to, reason) => {
  const answer = answerWhy(view(), { ...QUERY, from: caller, to });
  expect(answer).toMatchObject({ kind: "unknown", reason: expect.stringMatching(reason) });
});

test.each([
  ["shop/web-1", { kind: "pod", tunnels: true, address: "10.0.0.1" }],
  ["10.0.0.1", { kind: "pod", tunnels: true, address: "10.0.0.1" }],
  ["shop/web", { kind: "service_account", tunnels: true, address: "10.0.0.1" }],
  ["sa:shop/nobody", { kind: "service_account", tunnels: true, address: "" }],
  ["spiffe://other.test/ns/a/sa/b", { kind: "identity", tunnels: true, address: "" }],
  ["shop/old-1", { kind: "pod", tunnels: false, address: "10.0.0.9" }],
  ["198.51.100.7", { kind: "address", tunnels: false, address: "198.51.100.7" }],
])("answerWhy(): --from %s is %j", (caller, expected) => {
  expect(ask(view(), { from: caller }).caller).toMatchObject(expected);
});

test.each([
  ["caller_outside", {}, { from: "shop/old-1" }],
  ["mode_disable", { mode: "DISABLE" }, {}],
  ["asked_for", {}, { plaintext: true }],
  ["not_captured", { captured: false }, {}],
] as const)("answerWhy(): %s means plaintext, so no identity is seen", (because, wish, query) => {
  const allow = policy("web", "ALLOW", [from("web")]);
  expect(judged(view({ ...wish, policies: [allow] }), query)).toMatchObject({
    arrives: "plaintext",
    arrivesBecause: because,
    outcome: { kind: "deny", reason: "not_allowed" },
  });
});

test("answerWhy(): under STRICT plaintext is refused before any policy, whatever ALLOW says", () => {
  const allow = policy("all", "ALLOW", [{ index: 0, from: [], to: [], when: [] }]);
  const strict = view({ policies: [allow], mode: "STRICT" });
  expect(judged(strict, { from: "198.51.100.7" })).toMatchObject({
    mode: "STRICT",
    outcome: { kind: "deny", reason: "plaintext_refused" },
    explanation: { outcome: { kind: "permit" } },
  });
  expect(judged(strict).outcome).toEqual({ kind: "permit", by: { policy: "shop/all", rule: 0 } });
});

test.each([
  ["ALLOW", "rule_dropped", { kind: "deny", reason: "not_allowed" }],
  ["DENY", "attribute_erased", { kind: "deny", reason: "denied_by_policy" }],
] as const)(
  "answerWhy(): of %s on an opaque port what only HTTP shows is named: %s",
  (action, effect, outcome) => {
    const http = view({ policies: [policy("get", action, [GET])] });
    expect(judged(http)).toMatchObject({
      readAs: "opaque",
      ignored: [{ policy: "shop/get", rule: 0, field: "to[0].methods", effect }],
      outcome,
    });
    const seen = judged(http, { asHttp: true, request: { method: "POST", headers: [] } });
    const permitted = { kind: action === "ALLOW" ? "deny" : "permit" };
    expect(seen).toMatchObject({ readAs: "http", ignored: [], outcome: permitted });
  },
);

test("answerWhy(): the server that TLS names is seen where the node listens for it, and elsewhere is not", () => {
  const when: Rule["when"] = [
    { key: "connection.sni", values: [{ kind: "exact", value: "api.shop" }], notValues: [] },
  ];
  const policies = [policy("names", "ALLOW", [{ index: 0, from: [], to: [], when }])];
  const heard = view({ policies, tlsPorts: [8080] });
  const permitted = { kind: "permit", by: { policy: "shop/names", rule: 0 } };
  expect(judged(heard, { sni: "API.shop" })).toMatchObject({
    readAs: "tls",
    ignored: [],
    outcome: permitted,
  });
  const refused = { kind: "deny", reason: "not_allowed" };
  expect(judged(heard, { sni: "other.shop" }).outcome).toEqual(refused);
  expect(judged(heard)).toMatchObject({ readAs: "tls", ignored: [], outcome: refused });
  const unheard = view({ policies, tlsPorts: [8443] });
  expect(judged(unheard, { sni: "api.shop" })).toMatchObject({
    readAs: "opaque",
    ignored: [{ policy: "shop/names", rule: 0, effect: "rule_dropped" }],
    outcome: refused,
  });
});

test("answerWhy(): nothing is enforced for a pod outside the mesh, one not captured, an excluded port", () => {
  expect(judged(view(), { to: "shop/old-1:80" })).toMatchObject({
    enforced: "not_in_mesh",
    outcome: { kind: "permit" },
  });
  expect(judged(view({ captured: false })).enforced).toBe("not_captured");
  const past = view({ excluded: [8080], mode: "STRICT" });
  expect(judged(past, { plaintext: true }).enforced).toBe("port_excluded");
  expect(judged(past).enforced).toBe("yes");
});

test("answerWhy(): ports of the mesh itself are refused", () => {
  expect(judged(view(), { to: "shop/api-1:15008" }).outcome).toEqual({
    kind: "deny",
    reason: "own_port",
  });
});

test("answerWhy(): a policy that has not arrived, and settings that have not, deny", () => {
  const missing = view({ policies: [policy("gone", "DENY", [])] });
  expect(judged({ ...missing, policies: new Map() }).outcome).toMatchObject({
    reason: "policy_missing",
  });
  expect(judged({ ...view(), settings: undefined }).outcome).toMatchObject({
    reason: "policy_unknown",
  });
});

test.each([
  ["grpc", "", { asked: ["opa"], outcome: expect.objectContaining({ kind: "permit" }) }],
  ["grpc", "no-web", { asked: ["opa"], outcome: expect.objectContaining({ kind: "deny" }) }],
  ["http", "", undefined],
  ["unknown", "", undefined],
] as const)(
  "answerWhy(): a %s provider that CUSTOM would ask, beside DENY %j",
  (kind, more, ifProvidersPermit) => {
    const custom = { ...policy("ask", "CUSTOM", [from("web")]), provider: "opa" };
    const rest = more === "" ? [] : [policy(more, "DENY", [from("web")])];
    const mesh = view({ policies: [custom, ...rest] });
    const http = {
      kind: "http",
      pathPrefix: "",
      requestHeaders: [],
      additionalHeaders: [],
      upstreamHeadersOnAllow: [],
      downstreamHeadersOnAllow: [],
      downstreamHeadersOnDeny: [],
    } as const;
    const provider = {
      name: kind === "unknown" ? "other" : "opa",
      service: "shop/opa",
      port: 9191,
      timeoutMs: 1000,
      failOpen: false,
      statusOnError: 403,
      protocol: kind === "http" ? http : ({ kind: "grpc" } as const),
    };
    if (!mesh.settings) throw new Error("no settings");
    const settings = { ...mesh.settings, authorizationProviders: [provider] };
    const judgement = judged({ ...mesh, settings });
    const { kind: outcome, ...why } = judgement.outcome;
    expect([outcome, judgement.ifProvidersPermit]).toEqual(["deny", ifProvidersPermit]);
    const place = { reason: "denied_by_provider", policy: "shop/ask", rule: 0 };
    expect(why).toEqual({ ...place, ...(ifProvidersPermit ? { ask: "opa" } : {}) });
  },
);

test("answerWhy(): headers and claims of a request are what HTTP policies see", () => {
  const rule: Rule = {
    ...GET,
    to: [],
    when: [
      {
        key: "request.headers",
        name: "x-team",
        values: [{ kind: "exact", value: "b" }],
        notValues: [],
      },
      {
        key: "request.auth.claims",
        path: ["groups"],
        values: [{ kind: "exact", value: "dev" }],
        notValues: [],
      },
    ],
  };
  const policies = [policy("team", "ALLOW", [rule])];
  const allow = view({ policies, authentications: [TAKES] });
  const headers = [["x-team", "b"]] as const;
  const request = { headers, claims: { iss: "https://a.example", groups: ["dev"] } };
  expect(judged(allow, { asHttp: true, request }).outcome.kind).toBe("permit");
  expect(judged(allow, { asHttp: true, request: { headers } }).outcome.kind).toBe("deny");
  const unseen = judged(view({ policies }), { asHttp: true, request });
  expect(unseen).toMatchObject({ outcome: { reason: "not_allowed" }, token: "not_looked_at" });
  expect(unseen).not.toHaveProperty("requestAuthentications");
});

test("answerWhy(): a token of another issuer is refused before policy, and after the mode of the port", () => {
  const wish = { authentications: [TAKES], policies: [policy("no-web", "DENY", [from("web")])] };
  const query = { asHttp: true, request: { headers: [], claims: { iss: "b" } } };
  const refused = judged(view(wish), query);
  expect(refused.outcome).toEqual({ kind: "deny", reason: "issuer_unknown" });
  expect(refused.explanation?.outcome).toMatchObject({ reason: "denied_by_policy" });
  const strict = view({ ...wish, mode: "STRICT" });
  expect(judged(strict, { ...query, plaintext: true }).outcome).toMatchObject({
    reason: "plaintext_refused",
  });
  expect(judged(view({ authentications: [TAKES] })).requestAuthentications).toMatchObject([
    { policy: "shop/jwt", state: "applies" },
  ]);
});

const DENIED: DeniedAttempt = {
  id: "0a1b2c-0123456789ab",
  timeMs: 1,
  code: "denied_by_policy",
  decided: { policy: "shop/no-web", rule: 0, mark: "DENY" },
  wasOpen: false,
  pod: "uid-api-1",
  workload: "shop/api-1",
  source: "10.0.0.1:4000",
  sourceWorkload: "shop/web-1",
  facts: {
    peer: { trustDomain: "cluster.local", namespace: "shop", serviceAccount: "web" },
    sourceIp: "10.0.0.1",
    destinationIp: "10.0.0.2",
    destinationPort: 8080,
  },
};

function since(policies: readonly CompiledPolicy[], attempt: DeniedAttempt | undefined = DENIED) {
  return explainDenial(view({ policies }), { attempt, markOf: ({ action }) => action });
}

test("explainDenial(): says what the policies of now make of it, and whether the one that decided is the same", () => {
  const deny = policy("no-web", "DENY", [from("web")]);
  expect(since([deny])).toMatchObject({
    decided: "same",
    attempt: DENIED,
    now: { outcome: { kind: "deny", policy: "shop/no-web" } },
  });
  const allow = policy("no-web", "ALLOW", [from("web")]);
  expect(since([allow])).toMatchObject({
    decided: "changed",
    now: { outcome: { kind: "permit" } },
  });
  expect(since([])).toMatchObject({ decided: "gone", now: { outcome: { kind: "permit" } } });
});

test("explainDenial(): where no policy decided alone, the pod is gone, or nothing is kept", () => {
  const { decided: _, ...alone } = DENIED;
  expect(since([], { ...alone, code: "not_allowed" })).toMatchObject({ decided: "none" });
  const gone = since([], { ...DENIED, pod: "other" });
  expect(gone).not.toHaveProperty("now");
  const nothing = explainDenial(view(), { attempt: undefined, markOf: () => "" });
  expect(nothing).toMatchObject({ kind: "not_kept", node: "node-a" });
});
