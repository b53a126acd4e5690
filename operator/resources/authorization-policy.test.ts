import { expect, test } from "@jest/globals";
import fc from "fast-check";
import { parseAuthorizationPolicy } from "./authorization-policy.ts";

const OPTIONS = { rootNamespace: "weft-system" };

function parse(spec: unknown, annotations = {}) {
  return parseAuthorizationPolicy(
    {
      apiVersion: "weft.dev/v1",
      kind: "AuthorizationPolicy",
      metadata: { name: "p", namespace: "shop", uid: "u", generation: 3, annotations },
      spec,
    },
    OPTIONS,
  );
}

function reasons(spec: unknown): readonly string[] {
  const parsed = parse(spec);
  return parsed.kind === "refused" ? parsed.reasons.map(({ field }) => field) : [];
}

function source(fields: unknown) {
  return { rules: [{ from: [{ source: fields }] }] };
}

function operation(fields: unknown) {
  return { rules: [{ to: [{ operation: fields }] }] };
}

function when(condition: unknown) {
  return { rules: [{ when: [condition] }] };
}

const S = "spec.rules[0].from[0].source";
const O = "spec.rules[0].to[0].operation";
const W = "spec.rules[0].when[0]";

const refused: [string, unknown, string][] = [
  ["an empty from", { rules: [{ from: [] }] }, "spec.rules[0].from"],
  ["an empty to", { rules: [{ to: [] }] }, "spec.rules[0].to"],
  ["an empty when", { rules: [{ when: [] }] }, "spec.rules[0].when"],
  ["an empty source", source({}), S],
  ["no source", { rules: [{ from: [{}] }] }, "spec.rules[0].from[0]"],
  ["an empty operation", operation({}), O],
  ["an empty list of principals", source({ principals: [] }), `${S}.principals`],
  ["null instead of a list", source({ principals: null }), `${S}.principals`],
  ["null rules", { rules: null }, "spec.rules"],
  ["a null rule", { rules: [null] }, "spec.rules[0]"],
  ["a text instead of a list", source({ principals: "a" }), `${S}.principals`],
  ["an empty string", source({ namespaces: ["a", ""] }), `${S}.namespaces[1]`],
  ["a number as string", source({ namespaces: [1] }), `${S}.namespaces[0]`],
  ["spiffe://", source({ principals: ["spiffe://td/ns/a/sa/b"] }), `${S}.principals[0]`],
  [
    "spiffe:// in notPrincipals",
    source({ notPrincipals: ["SPIFFE://td/ns/a/sa/b"] }),
    `${S}.notPrincipals[0]`,
  ],
  ["a wildcard in the middle", source({ principals: ["a*b"] }), `${S}.principals[0]`],
  ["wildcards at both ends", source({ namespaces: ["*a*"] }), `${S}.namespaces[0]`],
  ["two stars", source({ trustDomains: ["**"] }), `${S}.trustDomains[0]`],
  [
    "a wildcard in a service account",
    source({ serviceAccounts: ["a/*"] }),
    `${S}.serviceAccounts[0]`,
  ],
  [
    "a service account of three parts",
    source({ serviceAccounts: ["a/b/c"] }),
    `${S}.serviceAccounts[0]`,
  ],
  ["a bad address", source({ ipBlocks: ["10.0.0"] }), `${S}.ipBlocks[0]`],
  ["a bad prefix length", source({ notIpBlocks: ["10.0.0.0/33"] }), `${S}.notIpBlocks[0]`],
  ["an octal address", source({ ipBlocks: ["010.0.0.1"] }), `${S}.ipBlocks[0]`],
  ["a bad remote block", source({ remoteIpBlocks: ["x"] }), `${S}.remoteIpBlocks[0]`],
  ["port 0", operation({ ports: ["0"] }), `${O}.ports[0]`],
  ["port 65536", operation({ ports: ["65536"] }), `${O}.ports[0]`],
  ["a range of ports", operation({ notPorts: ["80-90"] }), `${O}.notPorts[0]`],
  ["a port as number", operation({ ports: [80] }), `${O}.ports[0]`],
  ["a broken path template", operation({ paths: ["/a/{**}/{*}"] }), `${O}.paths[0]`],
  ["a template with a star", operation({ paths: ["/{*}/a*"] }), `${O}.paths[0]`],
  ["an unknown field of a rule", { rules: [{ form: [] }] }, "spec.rules[0].form"],
  ["an unknown field of a source", source({ principal: ["a"] }), `${S}.principal`],
  ["an unknown field of an operation", operation({ method: ["GET"] }), `${O}.method`],
  ["an unknown field of the spec", { rule: [] }, "spec.rule"],
  ["an unknown key", when({ key: "source.user", values: ["a"] }), `${W}.key`],
  ["a header without a name", when({ key: "request.headers[]", values: ["a"] }), `${W}.key`],
  ["a key of Object", when({ key: "constructor", values: ["a"] }), `${W}.key`],
  ["a condition without values", when({ key: "source.ip" }), W],
  ["a condition with empty values", when({ key: "source.ip", values: [] }), `${W}.values`],
  ["a condition with a bad block", when({ key: "source.ip", values: ["a"] }), `${W}.values[0]`],
  [
    "a condition with a bad port",
    when({ key: "destination.port", notValues: ["a"] }),
    `${W}.notValues[0]`,
  ],
  ["an unknown action", { action: "allow" }, "spec.action"],
  ["DENY without rules", { action: "DENY" }, "spec.rules"],
  ["DENY with an empty list of rules", { action: "DENY", rules: [] }, "spec.rules"],
  ["CUSTOM without rules", { action: "CUSTOM", provider: { name: "a" } }, "spec.rules"],
  ["CUSTOM without provider", { action: "CUSTOM", rules: [{}] }, "spec.provider"],
  ["a provider without CUSTOM", { provider: { name: "a" } }, "spec.provider"],
  [
    "selector and targetRefs",
    { selector: {}, targetRefs: [{ kind: "Service", name: "a" }] },
    "spec.targetRefs",
  ],
  ["an empty list of targetRefs", { targetRefs: [] }, "spec.targetRefs"],
  [
    "a target of another kind",
    { targetRefs: [{ kind: "Gateway", name: "a" }] },
    "spec.targetRefs[0].kind",
  ],
  [
    "a target of another group",
    { targetRefs: [{ group: "apps", kind: "Service", name: "a" }] },
    "spec.targetRefs[0].group",
  ],
  [
    "a wildcard in a label",
    { selector: { matchLabels: { app: "a*" } } },
    "spec.selector.matchLabels.app",
  ],
  ["a spec that is a list", [], "spec"],
];

for (const [name, spec, field] of refused) {
  test(`parseAuthorizationPolicy(): refuses ${name} at ${field}`, () => {
    expect(reasons(spec)).toContain(field);
  });
}

test("parseAuthorizationPolicy(): takes every field of the schema", () => {
  const forms = ["exact", "pre*", "*post", "*"];
  function both(name: string, values: readonly string[]) {
    return {
      [name]: values,
      [`not${name.charAt(0).toUpperCase()}${name.slice(1)}`]: values,
    };
  }
  const parsed = parse({
    action: "CUSTOM",
    provider: { name: "opa" },
    selector: { matchLabels: { "app.kubernetes.io/name": "api", empty: "" } },
    rules: [
      {
        from: [
          {
            source: {
              ...both("principals", forms),
              ...both("requestPrincipals", forms),
              ...both("namespaces", forms),
              ...both("serviceAccounts", ["web", "ops/monitor"]),
              ...both("trustDomains", forms),
              ...both("ipBlocks", ["10.0.0.0/8", "fd00::1"]),
              ...both("remoteIpBlocks", ["10.0.0.0/8"]),
            },
          },
        ],
        to: [
          {
            operation: {
              ...both("hosts", forms),
              ...both("ports", ["1", "65535"]),
              ...both("methods", ["GET"]),
              ...both("paths", ["/a", "/a/*", "/a/{*}/b/{**}"]),
            },
          },
        ],
        when: [
          "source.principal",
          "source.namespace",
          "source.trustDomain",
          "source.serviceAccount",
          "connection.sni",
          "request.headers[x-a]",
          "request.auth.principal",
          "request.auth.audiences",
          "request.auth.presenter",
          "request.auth.claims[a][b]",
        ]
          .map((key) => ({ key, values: ["a"], notValues: ["b"] }))
          .concat(
            ["source.ip", "remote.ip", "destination.ip"].map((key) => ({
              key,
              values: ["10.0.0.1"],
              notValues: ["::1"],
            })),
            [{ key: "destination.port", values: ["80"], notValues: ["81"] }],
          ),
      },
    ],
  });
  expect(parsed).toMatchObject({
    kind: "accepted",
    value: { metadata: { namespace: "shop", name: "p", generation: 3 }, provider: "opa" },
  });
});

test("parseAuthorizationPolicy(): warns of an ALLOW that plaintext passes by negation [K127]", () => {
  const parsed = parse(source({ notPrincipals: ["a"] }));
  expect(parsed).toMatchObject({ kind: "accepted", warnings: [{ field: S }] });
  expect(parse(source({ principals: ["*"], notPrincipals: ["a"] }))).toMatchObject({
    warnings: [],
  });
});

test("parseAuthorizationPolicy(): a dry-run annotation that is neither true nor false is refused", () => {
  expect(parse({}, { "weft.dev/dry-run": "true" })).toMatchObject({ value: { dryRun: true } });
  expect(parse({}, { "weft.dev/dry-run": "yes" })).toMatchObject({
    kind: "refused",
    present: { dryRun: false },
  });
});

test("parseAuthorizationPolicy(): what selects unreadably counts for the whole namespace", () => {
  expect(parse({ selector: { labels: 1 } })).toMatchObject({
    kind: "refused",
    present: { scope: { kind: "namespace" } },
  });
});

test("parseAuthorizationPolicy(): refuses another kind, and what is no object, without throwing", () => {
  expect(
    parseAuthorizationPolicy({ kind: "Pod", metadata: { name: "a", namespace: "b" } }, OPTIONS)
      .kind,
  ).toBe("refused");
  fc.assert(
    fc.property(fc.anything(), (object) => {
      expect(parseAuthorizationPolicy(object, OPTIONS).kind).toBe("refused");
    }),
  );
});

test("parseAuthorizationPolicy(): any spec is answered with a value or with reasons", () => {
  const names = [
    "rules",
    "from",
    "to",
    "when",
    "source",
    "operation",
    "principals",
    "key",
    "values",
    "selector",
    "action",
  ];
  const tree = fc.letrec((tie) => ({
    node: fc.oneof(
      { maxDepth: 5 },
      fc.constantFrom("", "*", "DENY", "source.ip", "__proto__", null, 7),
      fc.array(tie("node"), { maxLength: 2 }),
      fc.dictionary(fc.constantFrom(...names, "__proto__"), tie("node"), { maxKeys: 3 }),
    ),
  })).node;
  fc.assert(
    fc.property(tree, (spec) => {
      const parsed = parse(spec);
      const isAnswered =
        parsed.kind === "refused"
          ? parsed.reasons.length > 0
          : parsed.value.rules.length === ruleCount(spec);
      expect(isAnswered).toBe(true);
    }),
    { numRuns: 1_000 },
  );
});

function ruleCount(spec: unknown): number {
  if (typeof spec !== "object" || spec === null || !("rules" in spec)) return 0;
  return Array.isArray(spec.rules) ? spec.rules.length : -1;
}
