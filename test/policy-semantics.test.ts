/** The cases of the policy language, from the object as written to the verdict. Names in brackets are the design's case ids. */
import { expect, test } from "@jest/globals";
import type { Attempt } from "../nodeproxy/authz/attempt.ts";
import {
  A,
  allow,
  attempt,
  B,
  decisionOf,
  deny,
  FROM_A,
  GET,
  ON_80,
  outcome,
  PLAIN,
  policyOf,
  ROOT,
  source,
  type Written,
} from "./policy-language.ts";

const cases: [string, readonly Written[], Attempt, string][] = [
  ["[A1] no policy permits", [], attempt(PLAIN), "permit"],
  ["[A1] a DENY that does not match permits", [deny(FROM_A)], attempt(B), "permit"],
  ["[A2] ALLOW with no rules denies all", [{ spec: {} }], attempt(A), "not_allowed"],
  ["[A2] ALLOW with an empty list of rules denies all", [allow()], attempt(A), "not_allowed"],
  ["[A3] an empty rule matches everything", [allow({})], attempt(PLAIN), "permit"],
  ["[A4] a matching DENY denies", [deny(FROM_A)], attempt(A), "denied_by_policy"],
  ["[A5] DENY wins over ALLOW", [allow({}), deny(FROM_A)], attempt(A), "denied_by_policy"],
  ["[A6] a matching ALLOW permits", [allow(FROM_A)], attempt(A), "permit"],
  [
    "[A6] one of several ALLOW policies suffices",
    [allow(FROM_A), allow(source({ principals: [B] }))],
    attempt(B),
    "permit",
  ],
  ["[A7] any ALLOW refuses what none matches", [allow(FROM_A)], attempt(B), "not_allowed"],
  [
    "[A9] fields of a source are ANDed",
    [allow(source({ principals: [A], ipBlocks: ["10.9.0.0/16"] }))],
    attempt(A),
    "not_allowed",
  ],
  [
    "[A9] values of a field are ORed",
    [allow(source({ principals: [B, A] }))],
    attempt(A),
    "permit",
  ],
  [
    "[A9] entries of from are ORed",
    [allow({ from: [{ source: { principals: [B] } }, { source: { namespaces: ["shop"] } }] })],
    attempt(A),
    "permit",
  ],
  ["[A9] from and to are ANDed", [allow({ ...FROM_A, ...ON_80 })], attempt(A), "not_allowed"],
  [
    "[A10] values and notValues are ANDed",
    [allow({ when: [{ key: "source.principal", values: ["*"], notValues: [A] }] })],
    attempt(A),
    "not_allowed",
  ],
  [
    "[A10] values alone would match",
    [allow({ when: [{ key: "source.principal", values: ["*"], notValues: [A] }] })],
    attempt(B),
    "permit",
  ],
  [
    "[A11] conditions are ANDed",
    [
      allow({
        when: [
          { key: "source.namespace", values: ["shop"] },
          { key: "destination.port", values: ["80"] },
        ],
      }),
    ],
    attempt(A),
    "not_allowed",
  ],
  ["[A13] without a selector it reaches the namespace", [deny({})], attempt(A), "denied_by_policy"],
  [
    "[A13] of another namespace it has no effect",
    [{ ...deny({}), namespace: "ops" }],
    attempt(A),
    "permit",
  ],
  [
    "[A13] in the root namespace it reaches the mesh",
    [{ ...deny({}), namespace: ROOT }],
    attempt(A),
    "denied_by_policy",
  ],
  [
    "[A14] all labels must be there",
    [
      {
        spec: {
          action: "DENY",
          rules: [{}],
          selector: { matchLabels: { app: "api", tier: "back" } },
        },
      },
    ],
    attempt(A),
    "denied_by_policy",
  ],
  [
    "[A14] one label that differs is enough",
    [
      {
        spec: {
          action: "DENY",
          rules: [{}],
          selector: { matchLabels: { app: "api", tier: "front" } },
        },
      },
    ],
    attempt(A),
    "permit",
  ],
  [
    "[A14] selector of the root namespace reaches every namespace",
    [
      {
        namespace: ROOT,
        spec: { action: "DENY", rules: [{}], selector: { matchLabels: { app: "api" } } },
      },
    ],
    attempt(A),
    "denied_by_policy",
  ],
  [
    "[A14] a selector without labels is the namespace",
    [{ spec: { action: "DENY", rules: [{}], selector: {} } }],
    attempt(A),
    "denied_by_policy",
  ],
  [
    "[A15] targetRefs reach what the Service selects",
    [{ spec: { action: "DENY", rules: [{}], targetRefs: [{ kind: "Service", name: "api" }] } }],
    attempt(A),
    "denied_by_policy",
  ],
  [
    "[A15] and nothing else",
    [{ spec: { action: "DENY", rules: [{}], targetRefs: [{ kind: "Service", name: "web" }] } }],
    attempt(A),
    "permit",
  ],
  [
    "[A15] never out of the root namespace",
    [
      {
        namespace: ROOT,
        spec: { action: "DENY", rules: [{}], targetRefs: [{ kind: "Service", name: "api" }] },
      },
    ],
    attempt(A),
    "permit",
  ],
  [
    "[A16] CUSTOM of an unknown provider denies what matches",
    [{ spec: { action: "CUSTOM", provider: { name: "x" }, rules: [FROM_A] } }],
    attempt(A),
    "denied_by_provider",
  ],
  [
    "[A16] and leaves the rest alone",
    [{ spec: { action: "CUSTOM", provider: { name: "x" }, rules: [FROM_A] } }],
    attempt(B),
    "permit",
  ],
  [
    "[A17] CUSTOM that does not match skips nothing",
    [{ spec: { action: "CUSTOM", provider: { name: "x" }, rules: [FROM_A] } }, deny({})],
    attempt(B),
    "denied_by_policy",
  ],
  [
    "[A17] CUSTOM comes before ALLOW",
    [allow({}), { spec: { action: "CUSTOM", provider: { name: "x" }, rules: [{}] } }],
    attempt(B),
    "denied_by_provider",
  ],
  ["[A18] AUDIT never decides", [{ spec: { action: "AUDIT", rules: [{}] } }], attempt(A), "permit"],
  ["[A19] DENY in dry run does not deny", [{ ...deny({}), dryRun: true }], attempt(A), "permit"],
  [
    "[A20] ALLOW in dry run is no ALLOW policy",
    [{ ...allow(FROM_A), dryRun: true }],
    attempt(B),
    "permit",
  ],
  ["[B1] an exact principal", [allow(FROM_A)], attempt(A), "permit"],
  ["[B1] plaintext is never a principal", [allow(FROM_A)], attempt(PLAIN), "not_allowed"],
  ["[B2] * means mTLS", [allow(source({ principals: ["*"] }))], attempt(B), "permit"],
  [
    "[B2] * refuses plaintext",
    [allow(source({ principals: ["*"] }))],
    attempt(PLAIN),
    "not_allowed",
  ],
  [
    "[B3] prefix",
    [allow(source({ principals: ["cluster.local/ns/shop/*"] }))],
    attempt(A),
    "permit",
  ],
  [
    "[B3] prefix of another namespace",
    [allow(source({ principals: ["cluster.local/ns/shop/*"] }))],
    attempt("cluster.local/ns/shop-2/sa/web"),
    "not_allowed",
  ],
  ["[B4] suffix", [allow(source({ principals: ["*/sa/web"] }))], attempt(A), "permit"],
  [
    "[B4] suffix of another account",
    [allow(source({ principals: ["*/sa/web"] }))],
    attempt(B),
    "not_allowed",
  ],
  [
    "[B5] notPrincipals matches plaintext",
    [allow(source({ notPrincipals: [A] }))],
    attempt(PLAIN),
    "permit",
  ],
  [
    "[B5] notPrincipals excludes",
    [allow(source({ notPrincipals: [A] }))],
    attempt(A),
    "not_allowed",
  ],
  [
    "[B6] notNamespaces matches plaintext",
    [deny(source({ notNamespaces: ["shop"] }))],
    attempt(PLAIN),
    "denied_by_policy",
  ],
  [
    "[B6] notServiceAccounts matches plaintext",
    [deny(source({ notServiceAccounts: ["web"] }))],
    attempt(PLAIN),
    "denied_by_policy",
  ],
  ["[B7] a dot is a dot", [allow(source({ namespaces: ["sh.p"] }))], attempt(A), "not_allowed"],
  [
    "[B7] a bracket is a bracket",
    [allow(source({ namespaces: ["[s]hop"] }))],
    attempt(A),
    "not_allowed",
  ],
  [
    "[B8] a service account of the policy's namespace",
    [allow(source({ serviceAccounts: ["web"] }))],
    attempt(A),
    "permit",
  ],
  [
    "[B8] is not that of another namespace",
    [allow(source({ serviceAccounts: ["monitor"] }))],
    attempt(B),
    "not_allowed",
  ],
  [
    "[B9] a service account with its namespace",
    [allow(source({ serviceAccounts: ["ops/monitor"] }))],
    attempt(B),
    "permit",
  ],
  [
    "[B10] an alias in the peer's identity",
    [allow(FROM_A)],
    attempt("old.example/ns/shop/sa/web"),
    "permit",
  ],
  [
    "[B10] an alias in the policy",
    [allow(source({ principals: ["old.example/ns/shop/sa/web"] }))],
    attempt(A),
    "permit",
  ],
  [
    "[B10] an alias among trustDomains",
    [deny(source({ trustDomains: ["old.example"] }))],
    attempt(A),
    "denied_by_policy",
  ],
  [
    "[B10] a foreign trust domain is not the mesh's",
    [allow(FROM_A)],
    attempt("evil.example/ns/shop/sa/web"),
    "not_allowed",
  ],
  ["[C1] IPv4 block", [allow(source({ ipBlocks: ["10.0.0.0/24"] }))], attempt(PLAIN), "permit"],
  [
    "[C1] a bare address",
    [allow(source({ ipBlocks: ["10.0.0.8"] }))],
    attempt(PLAIN),
    "not_allowed",
  ],
  [
    "[C1] notIpBlocks",
    [allow(source({ ipBlocks: ["10.0.0.0/8"], notIpBlocks: ["10.0.0.7"] }))],
    attempt(PLAIN),
    "not_allowed",
  ],
  [
    "[C2] IPv6 block",
    [allow(source({ ipBlocks: ["fd00::/8"] }))],
    attempt(PLAIN, { ip: "fd12::1" }),
    "permit",
  ],
  [
    "[C2] a v4-mapped caller is the IPv4 caller",
    [allow(source({ ipBlocks: ["10.0.0.0/24"] }))],
    attempt(PLAIN, { ip: "::ffff:10.0.0.7" }),
    "permit",
  ],
  [
    "[C2] a v4-mapped block is the IPv4 block",
    [allow(source({ ipBlocks: ["::ffff:10.0.0.0/120"] }))],
    attempt(PLAIN),
    "permit",
  ],
  ["[C3] the workload's port", [allow(ON_80)], attempt(A, { port: 80 }), "permit"],
  [
    "[C3] destination.port",
    [deny({ when: [{ key: "destination.port", values: ["80"] }] })],
    attempt(A, { port: 80 }),
    "denied_by_policy",
  ],
  [
    "[C4] neither the service's nor the tunnel's port",
    [allow({ to: [{ operation: { ports: ["15008", "443"] } }] })],
    attempt(A, { port: 8080 }),
    "not_allowed",
  ],
  [
    "[C5] destination.ip",
    [deny({ when: [{ key: "destination.ip", values: ["10.0.1.0/24"] }] })],
    attempt(A),
    "denied_by_policy",
  ],
  [
    "[C5] source.ip",
    [deny({ when: [{ key: "source.ip", values: ["10.0.0.0/24"], notValues: ["10.0.0.7"] }] })],
    attempt(A),
    "permit",
  ],
  [
    "[E1] ALLOW {from A, to GET} denies all",
    [allow({ ...FROM_A, ...GET })],
    attempt(A),
    "not_allowed",
  ],
  [
    "[E2] ALLOW [{from A, to GET}, {from B}] allows B",
    [allow({ ...FROM_A, ...GET }, source({ principals: [B] }))],
    attempt(B),
    "permit",
  ],
  [
    "[E2] and not A",
    [allow({ ...FROM_A, ...GET }, source({ principals: [B] }))],
    attempt(A),
    "not_allowed",
  ],
  ["[E3] DENY {to GET} denies all", [deny(GET)], attempt(PLAIN), "denied_by_policy"],
  [
    "[E4] DENY {from A, to GET} denies A",
    [deny({ ...FROM_A, ...GET })],
    attempt(A),
    "denied_by_policy",
  ],
  ["[E4] and leaves B", [deny({ ...FROM_A, ...GET })], attempt(B), "permit"],
  [
    "[E5] DENY {ports 80, methods GET} denies port 80",
    [deny({ to: [{ operation: { ports: ["80"], methods: ["GET"] } }] })],
    attempt(A, { port: 80 }),
    "denied_by_policy",
  ],
  [
    "[E5] and leaves other ports",
    [deny({ to: [{ operation: { ports: ["80"], methods: ["GET"] } }] })],
    attempt(A),
    "permit",
  ],
  [
    "[E6] DENY {from A, when header} denies A",
    [deny({ ...FROM_A, when: [{ key: "request.headers[x-a]", values: ["b"] }] })],
    attempt(A),
    "denied_by_policy",
  ],
  [
    "[E6] and leaves B",
    [deny({ ...FROM_A, when: [{ key: "request.headers[x-a]", values: ["b"] }] })],
    attempt(B),
    "permit",
  ],
  ["[E7] DENY [{}, {to GET}] denies all", [deny({}, GET)], attempt(B), "denied_by_policy"],
  [
    "[E8] DENY to: [{GET}, {ports 80}] denies all",
    [deny({ to: [{ operation: { methods: ["GET"] } }, { operation: { ports: ["80"] } }] })],
    attempt(B),
    "denied_by_policy",
  ],
  [
    "[E9] DENY from: [{principals A}, {requestPrincipals X}] denies all",
    [deny({ from: [{ source: { principals: [A] } }, { source: { requestPrincipals: ["i/x"] } }] })],
    attempt(B),
    "denied_by_policy",
  ],
  [
    "[E10] ALLOW from: [{principals A}, {requestPrincipals X}] denies all",
    [
      allow({
        from: [{ source: { principals: [A] } }, { source: { requestPrincipals: ["i/x"] } }],
      }),
    ],
    attempt(A),
    "not_allowed",
  ],
  [
    "connection.sni is unseen: DENY gets wider",
    [deny({ when: [{ key: "connection.sni", values: ["a"] }] })],
    attempt(B),
    "denied_by_policy",
  ],
  [
    "connection.sni is unseen: ALLOW drops the rule",
    [allow({ when: [{ key: "connection.sni", notValues: ["a"] }] })],
    attempt(B),
    "not_allowed",
  ],
  [
    "[G6] an invalid ALLOW matches nothing",
    [{ spec: { rules: [{}, { from: [] }] } }],
    attempt(A),
    "not_allowed",
  ],
  [
    "[G6] an invalid DENY denies everything it selects",
    [deny(source({ ipBlocks: ["10.0.0.0/33"] }))],
    attempt(B),
    "policy_invalid",
  ],
  [
    "[G6] an invalid CUSTOM as well",
    [{ spec: { action: "CUSTOM", rules: [FROM_A] } }],
    attempt(B),
    "policy_invalid",
  ],
  [
    "[G6] and nothing that it does not select",
    [{ spec: { action: "DENY", selector: { matchLabels: { app: "web" } } } }],
    attempt(B),
    "permit",
  ],
  [
    "[G6] an action that is none denies",
    [{ spec: { action: "PERMIT", rules: [{}] } }],
    attempt(A),
    "policy_invalid",
  ],
  [
    "[G6] an unknown field does not open an ALLOW",
    [allow({ metods: ["GET"] })],
    attempt(A),
    "not_allowed",
  ],
  [
    "[K127] notPrincipals with principals * refuses plaintext",
    [allow(source({ principals: ["*"], notPrincipals: [A] }))],
    attempt(PLAIN),
    "not_allowed",
  ],
  [
    "[K128] a star in the middle is refused, and then denies",
    [deny(source({ principals: ["cluster.local/*/sa/web"] }))],
    attempt(B),
    "policy_invalid",
  ],
  [
    "[K128] two stars are refused",
    [allow(source({ principals: ["**"] }))],
    attempt(A),
    "not_allowed",
  ],
  [
    "[K128] an empty string never opens",
    [allow(source({ namespaces: [""] }))],
    attempt(A),
    "not_allowed",
  ],
  [
    "[K128] a trailing star in the trust domain",
    [allow(source({ trustDomains: ["cluster.*"] }))],
    attempt("cluster.evil/ns/shop/sa/web"),
    "permit",
  ],
  [
    "[K129] names are compared with their case",
    [allow(source({ namespaces: ["Shop"] }))],
    attempt(A),
    "not_allowed",
  ],
  [
    "[K129] /0 is every address of its family",
    [deny(source({ ipBlocks: ["0.0.0.0/0"] }))],
    attempt(A),
    "denied_by_policy",
  ],
  [
    "[K129] and none of the other",
    [deny(source({ ipBlocks: ["0.0.0.0/0"] }))],
    attempt(A, { ip: "fd00::1" }),
    "permit",
  ],
  [
    "[K129] host bits are cleared",
    [deny(source({ ipBlocks: ["10.0.0.99/24"] }))],
    attempt(A),
    "denied_by_policy",
  ],
  [
    "[K132] notPorts",
    [deny({ to: [{ operation: { notPorts: ["8080"] } }] })],
    attempt(A),
    "permit",
  ],
];

for (const [name, written, asked, expected] of cases) {
  test(`policy: ${name}`, () => {
    expect(outcome(written, asked)).toBe(expected);
  });
}

test("[A12] order and names of policies never matter", () => {
  const policies = [allow({}), deny(FROM_A), { spec: { action: "AUDIT", rules: [{}] } }];
  function named(names: readonly string[], order: readonly number[]) {
    return order.map((i) => ({ ...(policies[i] ?? allow()), name: names[i] ?? "" }));
  }
  for (const names of [
    ["a", "b", "c"],
    ["c", "b", "a"],
    ["b", "c", "a"],
  ]) {
    for (const order of [
      [0, 1, 2],
      [2, 1, 0],
      [1, 2, 0],
    ]) {
      expect(outcome(named(names, order), attempt(A))).toBe("denied_by_policy");
      expect(outcome(named(names, order), attempt(B))).toBe("permit");
    }
  }
});

test("[A18] [A19] [A20] what did not decide is told beside the verdict", () => {
  const written = [
    { name: "audit", spec: { action: "AUDIT", rules: [FROM_A, {}] } },
    { ...deny(FROM_A), name: "dry-deny", dryRun: true },
    { ...allow(source({ principals: [B] })), name: "dry-allow", dryRun: true },
  ];
  expect(decisionOf(written, attempt(A))).toMatchObject({
    verdict: { kind: "permit" },
    dryRun: "deny",
    observed: [
      { policy: "shop/audit", rule: 0, action: "AUDIT", dryRun: false },
      { policy: "shop/dry-deny", rule: 0, action: "DENY", dryRun: true },
    ],
  });
  expect(decisionOf(written, attempt(B))).toMatchObject({ dryRun: "permit" });
  expect(decisionOf(written, attempt(PLAIN))).toMatchObject({ dryRun: "deny" });
});

test("the status names every attribute that cannot be seen", () => {
  const rules = [
    {
      ...source({ principals: [A], requestPrincipals: ["*"] }),
      ...GET,
      when: [{ key: "request.headers[a]", values: ["b"] }],
    },
  ];
  const fields = [
    "spec.rules[0].from[0].source.requestPrincipals",
    "spec.rules[0].to[0].operation.methods",
    "spec.rules[0].when[0].key",
  ];
  const erased = policyOf({ spec: { action: "AUDIT", rules } }).compiled.notes;
  expect(erased).toEqual(fields.map((field) => ({ field, effect: "attribute_erased" })));
  const dropped = policyOf({ spec: { action: "ALLOW", rules } }).compiled.notes;
  expect(dropped).toEqual(fields.map((field) => ({ field, effect: "rule_dropped" })));
});
