import { expect, test } from "@jest/globals";
import type { Endpoint, EndpointSlice } from "../../core/model/service.ts";
import { type UsableQuestion, usableEndpoints } from "./usable-endpoints.ts";

function endpoint(address: string, part: Partial<Endpoint> = {}): Endpoint {
  return {
    address,
    workload: "",
    node: "n1",
    ready: true,
    draining: false,
    zone: "",
    forZones: [],
    forNodes: [],
    ...part,
  };
}

function slice(...endpoints: readonly Endpoint[]): EndpointSlice {
  const ports = [{ name: "http", port: 8080 }];
  return { namespace: "shop", name: "web-1", service: "web", ports, endpoints };
}

function usable(part: Partial<UsableQuestion>, ...endpoints: readonly Endpoint[]): string {
  const question: UsableQuestion = {
    node: "n1",
    zone: "z1",
    localOnly: false,
    distribution: "anywhere",
    failover: [],
    ...part,
  };
  const tiers = usableEndpoints([slice(...endpoints)], "http", question);
  return tiers.map((tier) => tier.map((one) => one.endpoint.address).join(" ")).join(" | ");
}

test("usableEndpoints(): ready ones; those that end and serve only where none is ready", () => {
  const draining = { ready: false, draining: true };
  const [good, ending, bad] = [
    endpoint("a"),
    endpoint("b", draining),
    endpoint("c", { ready: false }),
  ];
  expect(usable({}, good, ending, bad)).toBe("a");
  expect(usable({}, ending, bad)).toBe("b");
  expect(usable({}, bad)).toBe("");
});

test("usableEndpoints(): internalTrafficPolicy Local never leaves the node, also for those that end", () => {
  const away = endpoint("a", { node: "n2" });
  const ending = endpoint("b", { ready: false, draining: true });
  expect(usable({ localOnly: true }, away)).toBe("");
  expect(usable({ localOnly: true }, away, ending)).toBe("b");
  expect(usable({ localOnly: true }, away, endpoint("c", { forZones: ["z2"] }))).toBe("c");
});

test("usableEndpoints(): hints count where every ready endpoint has one and some are for here", () => {
  const [here, there] = [endpoint("a", { forZones: ["z1"] }), endpoint("b", { forZones: ["z2"] })];
  expect(usable({}, here, there)).toBe("a | b");
  expect(usable({ zone: "z3" }, here, there)).toBe("a b");
  expect(usable({ zone: "" }, here, there)).toBe("a b");
  expect(usable({}, here, there, endpoint("c"))).toBe("a b c");
  const own = endpoint("d", { forZones: ["z1"], forNodes: ["n1"] });
  const other = endpoint("e", { forZones: ["z1"], forNodes: ["n2"] });
  expect(usable({}, own, other)).toBe("d | e");
  expect(usable({ node: "n3" }, own, other)).toBe("d e");
});

test("usableEndpoints(): trafficDistribution prefers zone or node without hints, and never leaves nobody", () => {
  const near = endpoint("a", { node: "n2", zone: "z1" });
  const own = endpoint("b", { zone: "z1" });
  const far = endpoint("c", { node: "n3", zone: "z2" });
  expect(usable({ distribution: "same_zone" }, near, own, far)).toBe("a b | c");
  expect(usable({ distribution: "same_node" }, near, own, far)).toBe("b | a | c");
  expect(usable({ distribution: "same_node" }, near, far)).toBe("a | c");
  expect(usable({ distribution: "same_node" }, far)).toBe("c");
  expect(usable({ distribution: "same_zone", zone: "" }, near, far)).toBe("a c");
});

test("usableEndpoints(): an address in two slices counts once, as ready where one says so", () => {
  const place = { node: "n1", zone: "", localOnly: false, failover: [] };
  const question = { ...place, distribution: "anywhere" } as const;
  const slices = [
    slice(endpoint("a", { ready: false })),
    slice(endpoint("a")),
    slice(endpoint("a")),
  ];
  expect(usableEndpoints(slices, "http", question).flat()).toHaveLength(1);
  expect(usableEndpoints(slices, "other", question)).toHaveLength(0);
});

test("usableEndpoints(): a failover step names the zones behind the caller's own; who is in none of them is last", () => {
  const ones = ["z4", "z3", "z2", "z1"].map((zone, i) =>
    endpoint("abcd"[i] ?? "", { zone, node: zone }),
  );
  const failover = [
    { from: "z9", to: ["z4"] },
    { from: "z1", to: ["z3", "z2"] },
  ];
  expect(usable({ failover }, ...ones)).toBe("d | b | c | a");
  expect(usable({ failover, zone: "z2" }, ...ones)).toBe("a b c d");
  expect(usable({ failover, zone: "z9" }, ...ones)).toBe("a | b c d");
  const own = endpoint("e", { zone: "z1" });
  expect(usable({ failover, distribution: "same_node" }, ...ones, own)).toBe("e | d | b | c | a");
});
