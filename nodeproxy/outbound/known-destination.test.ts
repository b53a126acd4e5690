import { expect, test } from "@jest/globals";
import type { OutboundPolicy } from "../../core/model/mesh-settings.ts";
import { isRefusedAsUnknown } from "./known-destination.ts";

const NODE = ["10.0.0.1", "fd00::1"];
const KNOWN = "203.0.113.7 443";

function isRefused(policy: OutboundPolicy | undefined, address: string, port: number): boolean {
  const registry = {
    settings: () => policy && { outboundPolicy: policy },
    hasEndpoint: (...endpoint: readonly [string, number]) => endpoint.join(" ") === KNOWN,
  };
  return isRefusedAsUnknown(registry, { address, port }, NODE);
}

const CASES: readonly (readonly [string, string, number, boolean])[] = [
  ["an address that nobody knows", "198.51.100.1", 443, true],
  ["an endpoint of a Service", "203.0.113.7", 443, false],
  ["another port of that address", "203.0.113.7", 10_250, true],
  ["kubelet of the own node", "10.0.0.1", 10_250, false],
  ["the own node by IPv6", "fd00::1", 8126, false],
  ["another node", "10.0.0.2", 10_250, true],
  ["DNS", "169.254.20.10", 53, false],
  ["the cloud's metadata", "169.254.169.254", 80, true],
];

for (const [what, address, port, refused] of CASES) {
  test(`isRefusedAsUnknown(): ${what}`, () => {
    expect(isRefused("REGISTRY_ONLY", address, port)).toBe(refused);
    expect(isRefused("ALLOW_ANY", address, port)).toBe(false);
    expect(isRefused(undefined, address, port)).toBe(false);
  });
}
