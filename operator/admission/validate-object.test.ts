import { expect, test } from "@jest/globals";
import { validateObject } from "./validate-object.ts";

const options = { rootNamespace: "weft-system", review: () => [] };

function judge(object: Readonly<Record<string, unknown>>, namespace = "shop") {
  const apiVersion = "weft.dev/v1";
  const request = { uid: "r", operation: "CREATE", namespace, object: { apiVersion, ...object } };
  const verdict = validateObject(request, options);
  return verdict.kind === "denied" ? verdict.reasons : verdict.kind;
}

const BAD = { kind: "AuthorizationPolicy", spec: { action: "DENY" } };

test.each([
  ["AuthorizationPolicy", { action: "DENY" }, /^spec\.rules: /],
  ["PeerAuthentication", { portLevelMtls: { 80: { mode: "STRICT" } } }, /^spec\.portLevelMtls/],
  ["RequestAuthentication", { jwtRules: [{ jwks: "{}" }] }, /^spec\.jwtRules\[0\]\.issuer/],
  ["TrafficPolicy", { targetRefs: [{ kind: "Pod", name: "a" }] }, /^spec\.targetRefs\[0\]\.kind/],
  ["MeshConfig", { trustDomain: "UPPER" }, /^spec\.trustDomain: /],
])("validateObject(): a bad %s is refused with the field", (kind, spec, reason) => {
  const [first] = judge({ kind, metadata: { name: "default" }, spec });
  expect(first).toMatch(reason);
});

test("validateObject(): an object that only has generateName is judged like any other", () => {
  expect(judge({ ...BAD, metadata: { generateName: "deny-" } })).toHaveLength(1);
  expect(
    judge({ ...BAD, metadata: { generateName: "all-" }, spec: { action: "DENY", rules: [{}] } }),
  ).toBe("allowed");
});

test("validateObject(): a bad object that is going away may lose its finalizers", () => {
  const metadata = { name: "p", deletionTimestamp: "2030-01-01T00:00:00Z" };
  expect(judge({ ...BAD, metadata })).toBe("allowed");
});

test("validateObject(): kinds that are not ours are nobody's business here", () => {
  expect(judge({ kind: "NodeReport", metadata: { name: "a" } }, "")).toBe("allowed");
});

test("validateObject(): what the other objects make of a policy is told, of many the first", () => {
  const object = {
    apiVersion: "weft.dev/v1",
    kind: "AuthorizationPolicy",
    metadata: { name: "p", namespace: "shop" },
    spec: {},
  };
  const request = { uid: "r", operation: "CREATE", namespace: "shop", object };
  const found = Array.from({ length: 40 }, (_, i) => ({ field: `f${i}`, message: "m" }));
  const some = validateObject(request, { ...options, review: () => found.slice(0, 1) });
  expect(some).toMatchObject({
    kind: "allowed",
    warnings: ["spec.rules: ALLOW without rules denies everything", "f0: m"],
  });
  const many = validateObject(request, { ...options, review: () => found });
  expect(many).toMatchObject({ warnings: expect.arrayContaining(["f13: m"]) });
  const { warnings } = many.kind === "allowed" ? many : { warnings: [] };
  expect(warnings).toHaveLength(16);
  expect(warnings.at(-1)).toBe("and 26 more: see the condition Accepted");
});

test.each([
  ["RequestAuthentication", { jwtRules: [{ issuer: "https://idp.example" }] }],
  ["TrafficPolicy", { targetRefs: [{ kind: "Service", name: "api" }] }],
])("validateObject(): a %s is reviewed too", (kind, spec) => {
  const object = { apiVersion: "weft.dev/v1", kind, metadata: { name: "p" }, spec };
  const request = { uid: "r", operation: "CREATE", namespace: "shop", object };
  const found = [{ field: "spec", message: "reviewed" }];
  const verdict = validateObject(request, { ...options, review: () => found });
  expect(verdict).toMatchObject({ kind: "allowed", warnings: ["spec: reviewed"] });
});

test("validateObject(): a policy that is refused is not reviewed", () => {
  const object = { ...BAD, apiVersion: "weft.dev/v1", metadata: { name: "p" } };
  const request = { uid: "r", operation: "CREATE", namespace: "shop", object };
  const found = [{ field: "spec", message: "reviewed" }];
  const verdict = validateObject(request, { ...options, review: () => found });
  expect(verdict).toMatchObject({ kind: "denied" });
});
