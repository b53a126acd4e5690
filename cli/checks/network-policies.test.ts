import { expect, test } from "@jest/globals";
import type { ClusterObject } from "../mesh/cluster-objects.ts";
import { checkNetworkPolicies } from "./network-policies.ts";

const namespaces: ClusterObject[] = [
  { metadata: { name: "shop", labels: { "weft.dev/mesh": "enabled" } } },
];
const pods: ClusterObject[] = [
  {
    metadata: { name: "web", namespace: "shop", labels: { app: "web" } },
    spec: { nodeName: "node1" },
  },
];

function levelWith(...specs: Readonly<Record<string, unknown>>[]): string {
  const policies = specs.map((spec, i) => ({
    metadata: { name: `p${i}`, namespace: "shop" },
    spec,
  }));
  return checkNetworkPolicies({ policies, pods, namespaces })[0]?.level ?? "";
}

const cases: [string, Readonly<Record<string, unknown>>[], string][] = [
  ["no policy lets the tunnel through", [], "ok"],
  ["an empty ingress list blocks it", [{ podSelector: {} }], "fail"],
  [
    "a rule for another port blocks it",
    [{ podSelector: {}, ingress: [{ ports: [{ port: 8080 }] }] }],
    "fail",
  ],
  ["a rule without ports lets it through", [{ podSelector: {}, ingress: [{ from: [] }] }], "ok"],
  [
    "a range over 15008 lets it through",
    [{ podSelector: {}, ingress: [{ ports: [{ port: 15000, endPort: 15010 }] }] }],
    "ok",
  ],
  [
    "UDP 15008 is not the tunnel",
    [{ podSelector: {}, ingress: [{ ports: [{ port: 15008, protocol: "UDP" }] }] }],
    "fail",
  ],
  ["another pod's policy does not count", [{ podSelector: { matchLabels: { app: "api" } } }], "ok"],
  [
    "one of two policies letting it through is enough",
    [{ podSelector: {} }, { podSelector: {}, ingress: [{ ports: [{ port: 15008 }] }] }],
    "ok",
  ],
  [
    "an egress-only policy blocks calls out",
    [{ podSelector: {}, policyTypes: ["Egress"], egress: [] }],
    "fail",
  ],
];

for (const [name, specs, expected] of cases) {
  test(`checkNetworkPolicies(): ${name}`, () => {
    expect(levelWith(...specs)).toBe(expected);
  });
}
