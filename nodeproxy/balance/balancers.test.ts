import { expect, test } from "@jest/globals";
import type { Resource } from "../../core/model/resource.ts";
import type { Service } from "../../core/model/service.ts";
import { DEFAULT_TRAFFIC_SETTINGS } from "../../core/model/traffic-settings.ts";
import { Current } from "../state/current.ts";
import { Balancers } from "./balancers.ts";

const SERVICE: Service = {
  namespace: "shop",
  name: "web",
  addresses: ["10.96.0.1"],
  ports: [{ port: 80, name: "", appProtocol: "" }],
  algorithm: "round_robin",
  localOnly: false,
  distribution: "anywhere",
  affinitySeconds: 0,
};

function resource(name: string, body: Resource["body"]): Resource {
  return { name, version: "1", body };
}

function workload(name: string, weight: number): Resource {
  const modes = { default: "STRICT" as const, ports: [] };
  const value = {
    uid: name,
    namespace: "shop",
    name,
    serviceAccount: "web",
    node: "n",
    addresses: [],
    tunnel: true,
    modes,
    owner: "web",
    weight,
  };
  return resource(name, { kind: "workload", value });
}

function slice(...names: readonly string[]): Resource {
  const place = { node: "n", zone: "", forZones: [], forNodes: [], ready: true, draining: false };
  const endpoints = names.map((name) => ({ address: name, workload: name, ...place }));
  const ports = [{ name: "", port: 8080 }];
  const value = { namespace: "shop", name: "web-1", service: "web", ports, endpoints };
  return resource("shop/web-1", { kind: "endpointSlice", value });
}

function traffic(algorithm: "weighted_round_robin" | undefined): Resource {
  const settings = DEFAULT_TRAFFIC_SETTINGS;
  const value = { ref: "shop/p", services: ["shop/web"], algorithm, settings };
  return resource("shop/p", { kind: "traffic", value });
}

function create(...upserts: readonly Resource[]) {
  const current = new Current();
  const service = resource("shop/web", { kind: "service", value: SERVICE });
  current.apply({ upserts: [service, ...upserts], removals: [] });
  const balancers = new Balancers(current, () => 0);
  return {
    current,
    balancers,
    put: (...more: readonly Resource[]) => current.apply({ upserts: more, removals: [] }),
    drop: (kind: "traffic", name: string) =>
      current.apply({ upserts: [], removals: [{ kind, name }] }),
    chosen: (times: number) => {
      const counts: Record<string, number> = {};
      for (let i = 0; i < times; i += 1) {
        const at = { service: SERVICE, portName: "", node: "n", zone: "" };
        const choice = balancers.at(at, 0).choose({ address: "c", tried: [], nowMs: 0 });
        const name = choice.kind === "member" ? choice.member.address : choice.reason;
        counts[name] = (counts[name] ?? 0) + 1;
      }
      return counts;
    },
  };
}

test("Balancers: a TrafficPolicy's algorithm and the pods' weights count as soon as they are known", () => {
  const world = create(slice("a", "b"));
  expect(world.chosen(40)).toEqual({ a: 20, b: 20 });
  world.put(traffic("weighted_round_robin"));
  expect(world.chosen(40)).toEqual({ a: 20, b: 20 });
  // Both pods were not known yet: one turns out to weigh more.
  world.put(workload("a", 3), workload("b", 1));
  const { a = 0, b = 0 } = world.chosen(40);
  expect(Math.abs(a - 30)).toBeLessThanOrEqual(1);
  expect(a + b).toBe(40);
  world.drop("traffic", "shop/p");
  expect(world.chosen(40)).toEqual({ a: 20, b: 20 });
});

test("Balancers: endpoints come and go with their slices", () => {
  const world = create();
  expect(world.chosen(1)).toEqual({ no_ready_endpoint: 1 });
  world.put(slice("a"));
  expect(world.chosen(2)).toEqual({ a: 2 });
  world.put(slice("b", "c"));
  expect(world.chosen(2)).toEqual({ b: 1, c: 1 });
});

test("Balancers: a Service that is gone is forgotten", () => {
  const world = create(slice("a"));
  const at = { service: SERVICE, portName: "", node: "n", zone: "" };
  const before = world.balancers.at(at, 0);
  world.balancers.retain((ref) => world.current.service(ref) !== undefined);
  expect(world.balancers.at(at, 0)).toBe(before);
  world.balancers.retain(() => false);
  expect(world.balancers.at(at, 0)).not.toBe(before);
});
