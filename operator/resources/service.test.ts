import { expect, test } from "@jest/globals";
import { parseKubeObject } from "./kube-object.ts";
import { parseService } from "./service.ts";

function service(spec: object | undefined, annotations: object = {}) {
  const metadata = { name: "api", namespace: "shop", annotations };
  const parsed = parseKubeObject({ apiVersion: "v1", kind: "Service", metadata, spec });
  if (parsed.kind === "refused") throw new Error(parsed.reasons.join());
  return parseService(parsed.value);
}

test.each([
  [{ clusterIP: "10.0.0.1" }, ["10.0.0.1"]],
  [{ clusterIP: "10.0.0.1", clusterIPs: ["10.0.0.1", "fd00::1"] }, ["10.0.0.1", "fd00::1"]],
  [{ clusterIP: "None", clusterIPs: ["None"] }, []],
  [{ clusterIP: "" }, []],
  [undefined, []],
])("parseService(): addresses of %j", (spec, addresses) => {
  expect(service(spec)?.addresses).toEqual(addresses);
});

test("parseService(): TCP ports with their names, and the numbers that they lead to", () => {
  const ports = [
    { name: "http", port: 80, targetPort: 8080, appProtocol: "http" },
    { name: "dns", port: 53, protocol: "UDP" },
    { port: 81, targetPort: "named" },
    { port: 82 },
  ];
  expect(service({ ports })).toMatchObject({
    ports: [
      { port: 80, name: "http", appProtocol: "http" },
      { port: 81, name: "", appProtocol: "" },
      { port: 82, name: "", appProtocol: "" },
    ],
    targets: [
      { port: 80, targetPort: 8080 },
      { port: 53, targetPort: 53 },
      { port: 82, targetPort: 82 },
    ],
  });
});

test.each([
  ["random", "random"],
  ["least_connections", "least_connections"],
  ["leest_conections", "round_robin"],
])("parseService(): annotation weft.dev/balance %s balances %s", (text, algorithm) => {
  expect(service({}, { "weft.dev/balance": text })?.algorithm).toBe(algorithm);
});

test("parseService(): without a selector, or with an empty one, it picks no pod", () => {
  expect(service({})?.selector).toBeUndefined();
  expect(service({ selector: {} })?.selector).toBeUndefined();
  expect(service({ selector: { app: "api" } })?.selector).toEqual({ app: "api" });
});

test("parseService(): ExternalName is none of the mesh's; internalTrafficPolicy Local stays on the node", () => {
  expect(service({ type: "ExternalName", externalName: "example.org" })).toBeUndefined();
  expect(service({ internalTrafficPolicy: "Local" })?.localOnly).toBe(true);
});

test.each([
  ["PreferClose", "same_zone"],
  ["PreferSameZone", "same_zone"],
  ["PreferSameNode", "same_node"],
  ["PreferTheMoon", "anywhere"],
  [undefined, "anywhere"],
])("parseService(): trafficDistribution %s", (trafficDistribution, distribution) => {
  expect(service({ trafficDistribution })?.distribution).toBe(distribution);
});

test.each([
  [{}, 0],
  [{ sessionAffinity: "ClientIP" }, 10_800],
  [
    { sessionAffinity: "ClientIP", sessionAffinityConfig: { clientIP: { timeoutSeconds: 60 } } },
    60,
  ],
  [
    { sessionAffinity: "ClientIP", sessionAffinityConfig: { clientIP: { timeoutSeconds: -1 } } },
    10_800,
  ],
  [{ sessionAffinity: "None", sessionAffinityConfig: { clientIP: { timeoutSeconds: 60 } } }, 0],
])("parseService(): session affinity of %j", (spec, seconds) => {
  expect(service(spec)?.affinitySeconds).toBe(seconds);
});
