import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { expect, test } from "@jest/globals";
import type { RouteRule, ServiceRoutes } from "../model/http-route.ts";
import { decodeResource } from "./decode-resource.ts";
import { encodeResource } from "./encode-resource.ts";
import * as wire from "./gen/weft/v1/node_pb.ts";

const RULE: RouteRule = {
  kind: "HTTPRoute",
  route: "shop/split",
  rule: "0",
  match: { path: { kind: "prefix", value: "/a" }, headers: [], query: [], method: "GET" },
  filters: [{ kind: "requestHeaders", set: [["x-a", "1"]], add: [], remove: [] }],
  backends: [{ to: { service: "shop/web", port: 80 }, weight: 1, filters: [] }],
  requestTimeoutMs: 0,
  backendTimeoutMs: 0,
  retry: undefined,
  session: undefined,
};

function sent(rules: readonly RouteRule[]): wire.Resource {
  const value: ServiceRoutes = { service: "shop/web", tables: [{ port: 80, consumer: "", rules }] };
  return encodeResource({ name: "shop/web", version: "1", body: { kind: "routes", value } });
}

function onlyRule(message: wire.Resource): wire.RouteRule {
  const rule = message.body.case === "routes" && message.body.value.tables[0]?.rules[0];
  if (!rule) throw new Error("no rule");
  return rule;
}

function decoded(message: wire.Resource) {
  const result = decodeResource(message);
  if (result.kind === "refused" || result.value.body.kind !== "routes") throw new Error("refused");
  return { rules: result.value.body.value.tables[0]?.rules, unread: result.unread };
}

test("decodeRoutes(): a rule with a filter of no known kind keeps its match and has no backends", () => {
  const message = sent([RULE, { ...RULE, rule: "1" }]);
  onlyRule(message).filters = [create(wire.RouteFilterSchema)];
  const { rules, unread } = decoded(message);
  expect(rules).toStrictEqual([
    { ...RULE, filters: [], backends: [] },
    { ...RULE, rule: "1" },
  ]);
  expect(unread).toStrictEqual(["shop/split: filters: of no known kind"]);
});

test("decodeRoutes(): a rule with a field of a newer version has no backends", () => {
  const bytes = toBinary(wire.RouteMatchSchema, onlyRule(sent([RULE])).match ?? fail());
  // Field 15, varint 1.
  const newer = fromBinary(wire.RouteMatchSchema, Uint8Array.from([...bytes, 0x78, 1]));
  const message = sent([RULE]);
  onlyRule(message).match = newer;
  const { rules, unread } = decoded(message);
  expect(rules).toStrictEqual([{ ...RULE, filters: [], backends: [] }]);
  expect(unread).toStrictEqual(["shop/split: rules: a field of a newer version"]);
});

test("decodeRoutes(): a match of no known kind, a header of two lines and a port out of range are named", () => {
  const message = sent([RULE]);
  const rule = onlyRule(message);
  rule.match = create(wire.RouteMatchSchema, {
    headers: [{ name: "x", value: { kind: wire.RouteTextKind.PREFIX, value: "a" } }],
  });
  rule.filters = [
    create(wire.RouteFilterSchema, {
      kind: {
        case: "responseHeaders",
        value: create(wire.HeaderChangeSchema, { add: [{ name: "x", value: "a\r\nb: c" }] }),
      },
    }),
  ];
  rule.backends = [create(wire.RouteBackendSchema, { to: { service: "shop/web", port: 70_000 } })];
  const { rules, unread } = decoded(message);
  expect(rules?.[0]?.backends).toStrictEqual([]);
  expect(unread).toStrictEqual([
    "shop/split: match.path: of no known kind",
    "shop/split: match: of no known kind",
    "shop/split: filters.value: not one line",
    "shop/split: to.port: 70000 is not in 1..65535",
  ]);
});

test("decodeRoutes(): a table of no port is left out", () => {
  const message = sent([RULE]);
  if (message.body.case === "routes") message.body.value.tables.map((table) => (table.port = 0));
  const { rules, unread } = decoded(message);
  expect(rules).toBe(undefined);
  expect(unread).toStrictEqual(["tables.port: 0 is not in 1..65535"]);
});

function fail(): never {
  throw new Error("no match");
}
