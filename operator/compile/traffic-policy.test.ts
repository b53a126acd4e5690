import { expect, test } from "@jest/globals";
import fc from "fast-check";
import { DEFAULT_TRAFFIC_SETTINGS } from "../../core/model/traffic-settings.ts";
import type { TrafficPolicy } from "../resources/traffic-policy.ts";
import { compileTraffic, ruleTraffic } from "./traffic-policy.ts";

function policy(name: string, createdMs: number, services: readonly string[]): TrafficPolicy {
  const metadata = { namespace: "shop", name, uid: "", createdMs, generation: 1, labels: {} };
  const settings = DEFAULT_TRAFFIC_SETTINGS;
  const others = { http: undefined, requestFields: [], rateLimits: [] };
  return { metadata, services, algorithm: "maglev", settings, ...others };
}

function names(policies: readonly TrafficPolicy[]): readonly string[] {
  return ruleTraffic(policies).ruling.map(({ metadata }) => metadata.name);
}

test("ruleTraffic(): the older rules, the younger rules nothing and takes nothing", () => {
  const first = policy("z", 1, ["a"]);
  const second = policy("b", 2, ["a", "c"]);
  const third = policy("a", 3, ["c"]);
  expect(names([third, second, first])).toEqual(["z", "a"]);
  expect([...ruleTraffic([third, second, first]).conflicts]).toEqual([
    ["b", "Service a is ruled by the older TrafficPolicy z"],
  ]);
  expect(names([policy("b", 1, ["a"]), policy("a", 1, ["a"])])).toEqual(["a"]);
});

test("ruleTraffic(): no Service is ruled twice, and each policy rules or is told why not, whatever the order", () => {
  const service = fc.constantFrom("a", "b", "c", "d");
  const wish = fc.tuple(fc.nat(3), fc.array(service, { minLength: 1, maxLength: 3 }));
  fc.assert(
    fc.property(fc.array(wish, { maxLength: 6 }), (wishes) => {
      const policies = wishes.map(([age, services], i) =>
        policy(`p${i}`, age, [...new Set(services)]),
      );
      const { ruling, conflicts } = ruleTraffic(policies);
      const ruled = ruling.flatMap(({ services }) => services);
      expect(new Set(ruled).size).toBe(ruled.length);
      expect(ruling.length + conflicts.size).toBe(policies.length);
      expect(names(policies.toReversed())).toEqual(names(policies));
    }),
  );
});

test("compileTraffic(): Services by their full names, sorted", () => {
  expect(compileTraffic(policy("p", 1, ["b", "a"]))).toEqual({
    ref: "shop/p",
    services: ["shop/a", "shop/b"],
    algorithm: "maglev",
    settings: DEFAULT_TRAFFIC_SETTINGS,
  });
});
