import { expect, test } from "@jest/globals";
import { parseKubeObject } from "./kube-object.ts";
import { parseNode } from "./node.ts";

function addressesOf(spec: object, addresses: readonly object[] = []): readonly string[] {
  const object = { apiVersion: "v1", kind: "Node", metadata: { name: "a" } };
  const parsed = parseKubeObject({ ...object, spec, status: { addresses } });
  if (parsed.kind === "refused") throw new Error(parsed.reasons.join());
  return parseNode(parsed.value).addresses;
}

test("parseNode(): internal addresses only, canonical", () => {
  const addresses = [
    { type: "Hostname", address: "node-a" },
    { type: "InternalIP", address: "::ffff:192.168.0.1" },
    { type: "ExternalIP", address: "203.0.113.1" },
    { type: "InternalIP", address: "FD00::1" },
  ];
  expect(addressesOf({}, addresses)).toEqual(["192.168.0.1", "fd00::1"]);
});

test.each([
  [{ podCIDR: "10.244.1.0/24" }, ["10.244.1.1"]],
  [
    { podCIDR: "10.9.0.0/24", podCIDRs: ["10.244.1.0/24", "fd00:1::/64"] },
    ["10.244.1.1", "fd00:1::1"],
  ],
  [{ podCIDR: "10.244.1.7/32" }, []],
  [{ podCIDRs: ["garbage", 7] }, []],
])("parseNode(): the gateway of %j", (spec, gateways) => {
  expect(addressesOf(spec)).toEqual(gateways);
});

test("parseNode(): its zone is that of the well-known label", () => {
  const labels = { "topology.kubernetes.io/zone": "eu-1a" };
  const object = { apiVersion: "v1", kind: "Node", metadata: { name: "n", labels } };
  const parsed = parseKubeObject(object);
  expect(parsed.kind === "accepted" && parseNode(parsed.value).zone).toBe("eu-1a");
});
