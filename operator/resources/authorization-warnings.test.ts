import { expect, test } from "@jest/globals";
import { parseAuthorizationPolicy } from "./authorization-policy.ts";

function warnings(spec: object, namespace = "shop"): readonly string[] {
  const metadata = { name: "p", namespace };
  const parsed = parseAuthorizationPolicy(
    { apiVersion: "weft.dev/v1", kind: "AuthorizationPolicy", metadata, spec },
    { rootNamespace: "weft-system" },
  );
  if (parsed.kind === "refused") throw new Error("refused");
  return parsed.warnings.map(({ field, message }) => `${field}: ${message}`);
}

const NEGATIVE =
  "spec.rules[0]: has only negative fields, so it allows everything else, plaintext as well; say whom it allows";
const PLAINTEXT =
  'spec.rules[0].from[0].source: also matches plaintext; add principals: ["*"] to demand mTLS';

function source(fields: object) {
  return { from: [{ source: fields }] };
}

function operation(fields: object) {
  return { to: [{ operation: fields }] };
}

test.each([
  ["notIpBlocks", source({ notIpBlocks: ["10.0.0.0/8"] }), [NEGATIVE]],
  ["notPorts", operation({ notPorts: ["22"] }), [NEGATIVE]],
  ["notPaths", operation({ notPaths: ["/admin*"] }), [NEGATIVE]],
  ["notValues", { when: [{ key: "source.ip", notValues: ["10.0.0.1"] }] }, [NEGATIVE]],
  [
    "several of them",
    { ...source({ notIpBlocks: ["10.0.0.1"] }), ...operation({ notPorts: ["22"] }) },
    [NEGATIVE],
  ],
  ["notPrincipals, told once", source({ notPrincipals: ["a"] }), [PLAINTEXT]],
  [
    "notNamespaces beside a port",
    { ...source({ notNamespaces: ["a"] }), ...operation({ ports: ["80"] }) },
    [PLAINTEXT],
  ],
  [
    "negative fields beside a positive one",
    { ...source({ principals: ["*"] }), ...operation({ notPorts: ["22"] }) },
    [],
  ],
  ["a positive method", operation({ methods: ["GET"], notPaths: ["/admin"] }), []],
  ["an empty rule, which means everything", {}, []],
])(
  "parseAuthorizationPolicy(): warns of an ALLOW with %s as it should",
  (_name, rule, expected) => {
    expect(warnings({ rules: [rule] })).toEqual(expected);
    expect(warnings({ action: "DENY", rules: [rule] })).toEqual([]);
  },
);

test("parseAuthorizationPolicy(): warns of what denies everything, does nothing, or is everywhere", () => {
  expect(warnings({})).toEqual(["spec.rules: ALLOW without rules denies everything"]);
  expect(warnings({ action: "AUDIT" })).toEqual(["spec.rules: AUDIT without rules has no effect"]);
  expect(warnings({ rules: [{}] }, "weft-system")).toEqual([
    "metadata.namespace: applies to every namespace of the mesh",
  ]);
});

test("parseAuthorizationPolicy(): warns of paths that no request can have, whatever the action", () => {
  const paths = ["/ok", "/a//b", "/a;b*", "*/../b", "/%41/{*}"];
  const rule = { ...source({ principals: ["*"] }), ...operation({ paths, notPaths: ["/a b"] }) };
  for (const action of ["ALLOW", "DENY", "AUDIT"]) {
    const told = warnings({ action, rules: [rule] });
    expect(told.map((one) => one.replace(/ can never match:.*$/, ""))).toEqual([
      "spec.rules[0].to[0].operation.paths: /a//b",
      "spec.rules[0].to[0].operation.paths: /a;b*",
      "spec.rules[0].to[0].operation.paths: */../b",
      "spec.rules[0].to[0].operation.paths: /%41/{*}",
      "spec.rules[0].to[0].operation.notPaths: /a b",
    ]);
  }
});
