import { expect, test } from "@jest/globals";
import fc from "fast-check";
import { parentRef, routeObject, serviceOf } from "../../test/fakes/route-objects.ts";
import { parseGrpcRoute } from "../resources/grpc-route.ts";
import { parseHttpRoute } from "../resources/http-route.ts";
import { compileServiceRoutes } from "./service-routes.ts";

interface Written {
  readonly exact: boolean;
  readonly path: string;
  readonly method: string | undefined;
  readonly headers: number;
  readonly query: number;
}

interface WrittenRoute {
  readonly namespace: string;
  readonly name: string;
  readonly day: number;
  /** Rules of matches. */
  readonly rules: readonly (readonly Written[])[];
}

const written: fc.Arbitrary<Written> = fc.record({
  exact: fc.boolean(),
  path: fc.constantFrom("/", "/a", "/b", "/a/b", "/a/b/"),
  method: fc.constantFrom(undefined, "GET", "POST"),
  headers: fc.nat(2),
  query: fc.nat(2),
});

const routes: fc.Arbitrary<WrittenRoute[]> = fc.uniqueArray(
  fc.record({
    namespace: fc.constantFrom("shop"),
    name: fc.constantFrom("a", "b", "a-b", "c"),
    day: fc.integer({ min: 1, max: 2 }),
    rules: fc.array(fc.array(written, { minLength: 1, maxLength: 3 }), {
      minLength: 1,
      maxLength: 3,
    }),
  }),
  { selector: ({ name }) => name, minLength: 1, maxLength: 4 },
);

function named(count: number): readonly object[] {
  return Array.from({ length: count }, (_, i) => ({ name: `n${i}`, value: "v" }));
}

function matchOf({ exact, path, method, headers, query }: Written): object {
  return {
    path: { type: exact ? "Exact" : "PathPrefix", value: path },
    headers: named(headers),
    queryParams: named(query),
    ...(method === undefined ? {} : { method }),
  };
}

const SERVICE = serviceOf("shop/web", { port: 80, appProtocol: "http" });
const WORLD = { findService: () => SERVICE, isGranted: () => false };

function compiledOrder(all: readonly WrittenRoute[]): readonly string[] {
  const parsed = all.map(({ namespace, name, day, rules }) => {
    const object = routeObject("HTTPRoute", `${namespace}/${name}`, {
      parents: [parentRef("web")],
      rules: rules.map((matches) => ({ matches: matches.map(matchOf) })),
      created: `2026-01-0${day}T00:00:00Z`,
    });
    return parseHttpRoute(object, () => true);
  });
  const { routes: compiled } = compileServiceRoutes(
    { namespace: "shop", name: "web" },
    parsed,
    WORLD,
  );
  const [table] = compiled?.tables ?? [];
  return (table?.rules ?? []).map(({ route, rule, match }) => {
    const { path, method, headers, query } = match;
    return [route, rule, path.kind, path.value, method, headers.length, query.length].join(" ");
  });
}

/** The API's sentences one after the other: each takes the best of what is left. */
function statedOrder(all: readonly WrittenRoute[]): readonly string[] {
  let left = all.flatMap((route) =>
    route.rules.flatMap((matches, rule) =>
      matches.map((match, at) => ({ route, rule, match, at })),
    ),
  );
  const order: string[] = [];
  while (left.length > 0) {
    let best = left;
    const criteria: ((one: (typeof left)[number]) => number)[] = [
      ({ match }) => (match.exact ? 1 : 0),
      ({ match }) => match.path.replace(/\/$/, match.exact ? "/" : "").length,
      ({ match }) => (match.method === undefined ? 0 : 1),
      ({ match }) => match.headers,
      ({ match }) => match.query,
      ({ route }) => -route.day,
    ];
    for (const criterion of criteria) {
      const most = Math.max(...best.map(criterion));
      best = best.filter((one) => criterion(one) === most);
    }
    const first = best.map(({ route }) => `${route.namespace}/${route.name}`).toSorted()[0];
    best = best.filter(({ route }) => `${route.namespace}/${route.name}` === first);
    const rule = Math.min(...best.map((one) => one.rule));
    best = best.filter((one) => one.rule === rule);
    const [taken] = best.toSorted((a, b) => a.at - b.at);
    if (!taken) break;
    left = left.filter((one) => one !== taken);
    const { exact, path, method = "", headers, query } = taken.match;
    const value = exact ? path : path.replace(/\/$/, "");
    order.push([first, rule, exact ? "exact" : "prefix", value, method, headers, query].join(" "));
  }
  return order;
}

test("compareRules(): whatever is written, rules stand in the order of the Gateway API", () => {
  fc.assert(
    fc.property(routes, (all) => {
      const stated = statedOrder(all);
      expect(compiledOrder(all)).toStrictEqual(stated);
      expect(compiledOrder(all.toReversed())).toStrictEqual(stated);
    }),
  );
});

test("compareRules(): an expression is behind exact paths and before every prefix", () => {
  const kinds = ["PathPrefix", "RegularExpression", "Exact", "RegularExpression"];
  const object = routeObject("HTTPRoute", "shop/r", {
    parents: [parentRef("web")],
    rules: kinds.map((type, i) => ({
      matches: [{ path: { type, value: `/${"x".repeat(9 - i)}` } }],
    })),
  });
  const route = parseHttpRoute(object, () => true);
  const { routes: compiled } = compileServiceRoutes(
    { namespace: "shop", name: "web" },
    [route],
    WORLD,
  );
  expect(compiled?.tables[0]?.rules.map(({ rule }) => rule)).toStrictEqual(["2", "1", "3", "0"]);
});

test("compareRules(): of gRPC rules the longer service, then the longer method, then more headers", () => {
  const headers = named(1);
  const methods = [
    {},
    { headers },
    { method: { service: "a.B" } },
    { method: { service: "a.B", method: "C" } },
    { method: { service: "a.B", method: "C" }, headers },
    { method: { service: "a.Long" } },
    { method: { method: "VeryLong" } },
  ];
  const object = routeObject("GRPCRoute", "shop/r", {
    parents: [parentRef("web")],
    rules: methods.map((match) => ({ matches: [match] })),
  });
  const grpc = serviceOf("shop/web", { port: 80, appProtocol: "grpc" });
  const { routes: compiled } = compileServiceRoutes(
    { namespace: "shop", name: "web" },
    [parseGrpcRoute(object, () => true)],
    { ...WORLD, findService: () => grpc },
  );
  const order = compiled?.tables[0]?.rules.map(({ rule }) => rule);
  expect(order).toStrictEqual(["5", "4", "3", "2", "6", "1", "0"]);
});
