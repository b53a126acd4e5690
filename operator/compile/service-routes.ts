/**
 * The routes of one Service as the nodes of its callers apply them, and what became of each parentRef.
 *
 * A table for each port, of the producers' routes (of the Service's namespace, for every caller); and one for each
 * other namespace with routes of its own, which holds for callers there alone (GEP-1294: producers and consumers).
 */
import type { HttpVersion } from "../../core/model/enrolment.ts";
import type { RouteTable, ServiceRoutes } from "../../core/model/http-route.ts";
import type { Route, RouteParent } from "../resources/route.ts";
import { attachRoute, versionOf } from "./attach-route.ts";
import { compareRules } from "./route-order.ts";
import {
  compileRoute,
  type RouteWorld,
  type ServiceName,
  type UnresolvedRef,
} from "./route-rules.ts";

export interface CompiledServiceRoutes {
  /** `undefined`: nothing rules its requests. */
  readonly routes: ServiceRoutes | undefined;
  /** What its producers' routes make of ports that declare nothing. */
  readonly http: ReadonlyMap<number, HttpVersion>;
  readonly outcomes: readonly ParentOutcome[];
}

/** What became of one parentRef. */
export interface ParentOutcome {
  readonly route: Route;
  readonly parent: RouteParent;
  /** As condition Accepted names it; "Accepted" where it is attached to a port at least. */
  readonly reason:
    | "Accepted"
    | "NoMatchingParent"
    | "Conflicted"
    | "UnsupportedValue"
    | "IncompatibleFilters";
  /** "" where there is nothing to say. */
  readonly message: string;
  readonly unresolved: readonly UnresolvedRef[];
}

/** `routes`: all that have the Service as a parent, each once. */
export function compileServiceRoutes(
  name: ServiceName,
  routes: readonly Route[],
  world: RouteWorld,
): CompiledServiceRoutes {
  const service = world.findService(name);
  const attempts = routes.flatMap((route) =>
    route.parents
      .filter((parent) => parent.namespace === name.namespace && parent.name === name.name)
      .map((parent) => ({ route, parent, ports: attachRoute(route.kind, parent, service) })),
  );
  const places = new Places(name.namespace);
  for (const { route, ports } of attempts) {
    if (ports.kind === "attached" && isUsable(route)) places.add(route, ports.ports);
  }
  const compiled = new Map(
    routes.map((route) => [route, compileRoute(route, name.namespace, world)]),
  );
  const tables = places.tables().map(
    ({ port, consumer, routes: attached }): RouteTable => ({
      port,
      consumer,
      rules: attached
        .flatMap((route) => compiled.get(route)?.rules ?? [])
        .toSorted(compareRules)
        .map(({ value }) => value),
    }),
  );
  const declaring = new Set(
    service?.ports.filter(({ appProtocol }) => appProtocol !== "").map(({ port }) => port),
  );
  return {
    routes: tables.length > 0 ? { service: `${name.namespace}/${name.name}`, tables } : undefined,
    http: new Map([...places.versions()].filter(([port]) => !declaring.has(port))),
    outcomes: attempts.map(({ route, parent, ports }) => ({
      route,
      parent,
      ...verdict(route, ports, places),
      unresolved: compiled.get(route)?.unresolved ?? [],
    })),
  };
}

function isUsable({ rules }: Route): boolean {
  return rules.some(({ kind }) => kind === "read");
}

function verdict(
  route: Route,
  ports: ReturnType<typeof attachRoute>,
  places: Places,
): Pick<ParentOutcome, "reason" | "message"> {
  if (ports.kind === "refused") return { reason: "NoMatchingParent", message: ports.message };
  if (!isUsable(route)) {
    const unread = route.rules.flatMap((rule) => (rule.kind === "unread" ? [rule] : []));
    const reasons = unread.flatMap((rule) => rule.reasons);
    const message = reasons.map(({ field, message: why }) => `${field}: ${why}`).join("; ");
    return { reason: unread[0]?.reason ?? "UnsupportedValue", message };
  }
  if (ports.ports.some((port) => places.isRuling(route, port))) {
    return { reason: "Accepted", message: "" };
  }
  const message = "a GRPCRoute rules each port that is meant";
  return { reason: "Conflicted", message };
}

interface Place {
  readonly port: number;
  readonly consumer: string;
  /** Of one kind. */
  readonly routes: readonly Route[];
}

/** Which routes rule which port for whom. */
class Places {
  readonly #namespace: string;
  readonly #places = new Map<string, { port: number; consumer: string; routes: Set<Route> }>();

  constructor(namespace: string) {
    this.#namespace = namespace;
  }

  add(route: Route, ports: readonly number[]): void {
    const consumer = this.#consumerOf(route);
    for (const port of ports) {
      const key = `${port} ${consumer}`;
      const place = this.#places.get(key) ?? { port, consumer, routes: new Set<Route>() };
      place.routes.add(route);
      this.#places.set(key, place);
    }
  }

  tables(): readonly Place[] {
    return [...this.#places.values()]
      .map(({ port, consumer, routes }) => ({ port, consumer, routes: ofOneKind(routes) }))
      .toSorted((a, b) => a.port - b.port || (a.consumer < b.consumer ? -1 : 1));
  }

  isRuling(route: Route, port: number): boolean {
    const place = this.#places.get(`${port} ${this.#consumerOf(route)}`);
    return place !== undefined && ofOneKind(place.routes).includes(route);
  }

  /** By the producers' routes: another namespace's must not change what everybody speaks. */
  versions(): ReadonlyMap<number, HttpVersion> {
    const own = this.tables().filter(({ consumer }) => consumer === "");
    return new Map(
      own.flatMap(({ port, routes: [first] }) => (first ? [[port, versionOf(first.kind)]] : [])),
    );
  }

  #consumerOf({ namespace }: Route): string {
    return namespace === this.#namespace ? "" : namespace;
  }
}

/** GEP-1294: of types that "both bind to the same Service and Port pair" GRPCRoute is before HTTPRoute; "the rejected routes should be ignored". */
function ofOneKind(routes: ReadonlySet<Route>): readonly Route[] {
  const grpc = [...routes].filter(({ kind }) => kind === "GRPCRoute");
  return grpc.length > 0 ? grpc : [...routes];
}
