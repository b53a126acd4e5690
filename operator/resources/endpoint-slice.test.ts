import { expect, test } from "@jest/globals";
import { parseEndpointSlice } from "./endpoint-slice.ts";
import { type KubeObject, parseKubeObject } from "./kube-object.ts";

function slice(fields: object, labels: object = { "kubernetes.io/service-name": "api" }) {
  const metadata = { name: "api-1", namespace: "shop", labels };
  const base = { apiVersion: "discovery.k8s.io/v1", kind: "EndpointSlice", metadata };
  const parsed = parseKubeObject({ ...base, ...fields });
  if (parsed.kind === "refused") throw new Error(parsed.reasons.join());
  return parseEndpointSlice(parsed.value satisfies KubeObject);
}

const plain = { ready: true, draining: false, zone: "", forZones: [], forNodes: [] };

test("parseEndpointSlice(): the first address of each endpoint, with its pod and node", () => {
  const endpoints = [
    {
      addresses: ["10.0.0.1", "10.0.0.9"],
      targetRef: { kind: "Pod", uid: "u" },
      nodeName: "a",
      conditions: { ready: true },
    },
    { addresses: ["::ffff:10.0.0.2"], targetRef: { kind: "Node", uid: "n" } },
  ];
  expect(slice({ endpoints })?.endpoints).toEqual([
    { address: "10.0.0.1", workload: "u", node: "a", ...plain },
    { address: "10.0.0.2", workload: "", node: "", ...plain },
  ]);
});

test("parseEndpointSlice(): only an explicit false is not ready", () => {
  const conditions = [{ ready: false }, { ready: null }, {}, undefined];
  const endpoints = conditions.map((each, i) => {
    return { addresses: [`10.0.0.${i}`], conditions: each };
  });
  expect(slice({ endpoints })?.endpoints.map(({ ready }) => ready)).toEqual([
    false,
    true,
    true,
    true,
  ]);
});

test("parseEndpointSlice(): what is no address and what is no TCP port falls out, the rest stays", () => {
  const ports = [
    { name: "http", port: 8080 },
    { name: "dns", port: 53, protocol: "UDP" },
    { port: 0 },
    { port: 9090, protocol: "TCP" },
  ];
  const endpoints = [{ addresses: ["api.example"] }, { addresses: [] }, { addresses: ["fd00::1"] }];
  expect(slice({ ports, endpoints })).toMatchObject({
    ports: [
      { name: "http", port: 8080 },
      { name: "", port: 9090 },
    ],
    endpoints: [{ address: "fd00::1" }],
  });
});

test("parseEndpointSlice(): a slice of names, or of no service, is none of the mesh's", () => {
  expect(slice({ addressType: "FQDN", endpoints: [] })).toBeUndefined();
  expect(slice({ endpoints: [] }, {})).toBeUndefined();
});

test("parseEndpointSlice(): conditions, zone and hints, absent conditions as Kubernetes reads them", () => {
  const conditions = { ready: false, serving: true, terminating: true };
  const endpoints = [
    {
      addresses: ["10.0.0.1"],
      conditions,
      zone: "eu-1a",
      hints: { forZones: [{ name: "eu-1a" }], forNodes: [{ name: "n1" }, {}] },
    },
    { addresses: ["10.0.0.2"], conditions: { ready: false, terminating: true } },
    { addresses: ["10.0.0.3"], conditions: { ready: null, serving: null, terminating: null } },
  ];
  expect(slice({ endpoints })?.endpoints).toMatchObject([
    { ready: false, draining: true, zone: "eu-1a", forZones: ["eu-1a"], forNodes: ["n1"] },
    { ready: false, draining: false, zone: "" },
    { ready: true, draining: false },
  ]);
});
