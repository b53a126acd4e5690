import { expect, test } from "@jest/globals";
import { parentRef, routeObject } from "../../test/fakes/route-objects.ts";
import { parseGrpcRoute } from "./grpc-route.ts";
import type { RuleReading } from "./route.ts";

function reading(rule: object): RuleReading | undefined {
  const object = routeObject("GRPCRoute", "shop/r", { parents: [parentRef("web")], rules: [rule] });
  return parseGrpcRoute(object, (source) => !source.includes("bad")).rules[0];
}

function paths(...matches: readonly object[]) {
  const read = reading({ matches });
  return read?.kind === "read" ? read.value.matches.map(({ match }) => match.path) : read;
}

test("parseGrpcRoute(): methods become paths", () => {
  expect(
    paths(
      { method: { service: "shop.v1.Cart", method: "Add" } },
      { method: { service: "shop.v1.Cart" } },
      { method: { method: "Add" } },
      { method: { type: "RegularExpression", service: "shop\\.v[12]\\.Cart", method: "A|B" } },
      { method: { type: "RegularExpression", method: "Get.*" } },
      { headers: [{ name: "Version", value: "two" }] },
    ),
  ).toStrictEqual([
    { kind: "exact", value: "/shop.v1.Cart/Add" },
    { kind: "prefix", value: "/shop.v1.Cart" },
    { kind: "regex", value: "/[^/]+/Add" },
    { kind: "regex", value: "/(?:shop\\.v[12]\\.Cart)/(?:A|B)" },
    { kind: "regex", value: "/[^/]+/(?:Get.*)" },
    { kind: "prefix", value: "" },
  ]);
});

test.each<[string, object]>([
  ["no method", { matches: [{ method: {} }] }],
  ["a service with a slash", { matches: [{ method: { service: "a/b" } }] }],
  ["a bad expression", { matches: [{ method: { type: "RegularExpression", service: "bad" } }] }],
  ["a filter of HTTPRoute", { filters: [{ type: "URLRewrite", urlRewrite: {} }] }],
  ["a timeout", { timeouts: { request: "1s" } }],
])("parseGrpcRoute(): a rule with %s is none", (_what, rule) => {
  expect(reading(rule)).toMatchObject({ kind: "unread", reason: "UnsupportedValue" });
});

test("parseGrpcRoute(): filters, backends and the name of a rule", () => {
  expect(
    reading({
      name: "adding",
      filters: [
        {
          type: "RequestHeaderModifier",
          requestHeaderModifier: { set: [{ name: "a", value: "b" }] },
        },
      ],
      backendRefs: [{ name: "web", port: 7070, weight: 70 }],
    }),
  ).toMatchObject({
    kind: "read",
    value: {
      rule: "adding",
      filters: [{ kind: "requestHeaders" }],
      backends: [{ target: { name: "web", port: 7070 }, weight: 70 }],
    },
  });
});
