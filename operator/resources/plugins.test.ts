import { expect, test } from "@jest/globals";
import { parseMeshConfig } from "./mesh-config.ts";
import { parseTrafficPolicy } from "./traffic-policy.ts";

const CODE = { name: "code", key: "main.ts" };

function meshWith(plugins: unknown) {
  const metadata = { name: "default" };
  return parseMeshConfig({
    apiVersion: "weft.dev/v1",
    kind: "MeshConfig",
    metadata,
    spec: { plugins },
  });
}

function policyWith(plugins: unknown) {
  return parseTrafficPolicy({
    apiVersion: "weft.dev/v1",
    kind: "TrafficPolicy",
    metadata: { name: "api", namespace: "shop" },
    spec: { targetRefs: [{ kind: "Service", name: "api" }], http: { plugins } },
  });
}

function fieldsOf(parsed: ReturnType<typeof meshWith> | ReturnType<typeof policyWith>) {
  return parsed.kind === "refused" ? parsed.reasons.map(({ field }) => field) : [];
}

test("parseMeshConfig(): a plugin has 100 ms and fails closed where nothing else is said", () => {
  const parsed = meshWith([{ name: "router", configMap: CODE }]);
  expect(parsed.kind === "accepted" && parsed.value.plugins).toEqual([
    { name: "router", configMap: "code", key: "main.ts", timeoutMs: 100, failOpen: false },
  ]);
});

test.each([
  [[{ configMap: CODE }], ["spec.plugins[0].name"]],
  [[{ name: "A", configMap: CODE }], ["spec.plugins[0].name"]],
  [[{ name: "a" }], ["spec.plugins[0].configMap"]],
  [[{ name: "a", configMap: { name: "code" } }], ["spec.plugins[0].configMap.key"]],
  [[{ name: "a", configMap: { ...CODE, key: "../x" } }], ["spec.plugins[0].configMap.key"]],
  [[{ name: "a", configMap: CODE, timeout: "11s" }], ["spec.plugins[0].timeout"]],
  [[{ name: "a", configMap: CODE, timeout: "0s" }], ["spec.plugins[0].timeout"]],
  [[{ name: "a", configMap: CODE, failOpen: 1 }], ["spec.plugins[0].failOpen"]],
  [
    [{ name: "a", configMap: { ...CODE, namespace: "shop" } }],
    ["spec.plugins[0].configMap.namespace"],
  ],
  [[1, 2].map(() => ({ name: "a", configMap: CODE })), ["spec.plugins"]],
  [Array.from("abcdefghi", (name) => ({ name, configMap: CODE })), ["spec.plugins"]],
])("parseMeshConfig(): plugins %j are refused", (plugins, fields) => {
  expect(fieldsOf(meshWith(plugins))).toEqual(fields);
});

test("parseTrafficPolicy(): plugins keep their order, and their configuration is JSON", () => {
  const parsed = policyWith([{ name: "b", config: { x: [1, null] } }, { name: "a" }]);
  expect(parsed.kind === "accepted" && parsed.value.settings.http.plugins).toEqual([
    { name: "b", config: '{"x":[1,null]}' },
    { name: "a", config: "null" },
  ]);
});

test("parseTrafficPolicy(): a configuration longer than 4096 characters is refused", () => {
  const parsed = policyWith([{ name: "a", config: "x".repeat(4_095) }]);
  expect(fieldsOf(parsed)).toEqual(["spec.http.plugins[0].config"]);
});
