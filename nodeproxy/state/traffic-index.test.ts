import { expect, test } from "@jest/globals";
import type { ServiceRoutes } from "../../core/model/http-route.ts";
import type { Resource } from "../../core/model/resource.ts";
import type { Service } from "../../core/model/service.ts";
import { Current } from "./current.ts";

const SERVICE: Service = {
  namespace: "shop",
  name: "web",
  addresses: ["10.0.0.1"],
  ports: [{ port: 80, name: "", appProtocol: "", http: "http1" }],
  algorithm: "round_robin",
  localOnly: false,
  distribution: "anywhere",
  affinitySeconds: 0,
};

function routes(service: string, version: string): Resource {
  const value: ServiceRoutes = { service, tables: [{ port: 80, consumer: version, rules: [] }] };
  return { name: service, version, body: { kind: "routes", value } };
}

test("Current.routesOf(): those of that Service, replaced whole, until they are removed", () => {
  const current = new Current();
  current.apply({ upserts: [routes("shop/web", "a"), routes("other/web", "b")], removals: [] });
  expect(current.routesOf(SERVICE)?.tables[0]?.consumer).toBe("a");
  current.apply({ upserts: [routes("shop/web", "c")], removals: [] });
  expect(current.routesOf(SERVICE)?.tables[0]?.consumer).toBe("c");
  expect(new Set(current.completed({ upserts: [], removals: [] }).removals)).toStrictEqual(
    new Set([
      { kind: "routes", name: "shop/web" },
      { kind: "routes", name: "other/web" },
    ]),
  );
  current.apply({ upserts: [], removals: [{ kind: "routes", name: "shop/web" }] });
  expect(current.routesOf(SERVICE)).toBe(undefined);
});

test("Current.apply(): routes under another name than their Service's are refused", () => {
  const wrong = { ...routes("shop/web", "a"), name: "shop/api" };
  expect(new Current().apply({ upserts: [wrong], removals: [] })).toStrictEqual({
    kind: "refused",
    errors: [{ kind: "routes", name: "shop/api", reason: "wrong_name" }],
  });
});
