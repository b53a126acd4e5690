/** The rules of one route as nodes apply them, and which of its references lead nowhere. */
import type {
  BackendRef,
  RouteBackend,
  RouteFilter,
  RouteMatch,
  RouteRule,
} from "../../core/model/http-route.ts";
import type { GrantedFrom } from "../resources/reference-grant.ts";
import type {
  BackendTarget,
  FilterSpec,
  Route,
  RuleReading,
  RuleSpec,
} from "../resources/route.ts";
import type { Service } from "../resources/service.ts";
import type { OrderedRule } from "./route-order.ts";

/** What references are resolved by. */
export interface RouteWorld {
  findService(name: ServiceName): Service | undefined;
  /** By any ReferenceGrant. */
  isGranted(from: GrantedFrom, to: ServiceName): boolean;
}

export interface ServiceName {
  readonly namespace: string;
  readonly name: string;
}

export interface UnresolvedRef {
  /** As condition ResolvedRefs names it. */
  readonly reason: "BackendNotFound" | "RefNotPermitted" | "InvalidKind";
  readonly field: string;
  readonly message: string;
}

export interface CompiledRoute {
  /** In no order. */
  readonly rules: readonly OrderedRule[];
  readonly unresolved: readonly UnresolvedRef[];
}

/** `parentNamespace`: that of the Service to which the route is attached. */
export function compileRoute(
  route: Route,
  parentNamespace: string,
  world: RouteWorld,
): CompiledRoute {
  const resolver = new Resolver(route, parentNamespace, world);
  const rules = route.rules.flatMap((reading, i) => {
    const spec = reading.kind === "read" ? reading.value : answering500(reading);
    const rest = resolver.rest(spec);
    return spec.matches.map(({ match, rank }, j): OrderedRule => {
      const value = ruleOf(route, { rule: spec.rule, match, rest });
      return { rank, createdMs: route.createdMs, route: value.route, place: [i, j], value };
    });
  });
  return { rules, unresolved: resolver.unresolved };
}

type Rest = Omit<RouteRule, "kind" | "route" | "rule" | "match">;

function ruleOf(
  { kind, namespace, name }: Route,
  { rule, match, rest }: { readonly rule: string; readonly match: RouteMatch; readonly rest: Rest },
): RouteRule {
  return { kind, route: `${namespace}/${name}`, rule, match, ...rest };
}

function answering500({ rule, matches }: Extract<RuleReading, { kind: "unread" }>): RuleSpec {
  return {
    rule,
    matches,
    filters: [],
    backends: [],
    requestTimeoutMs: 0,
    backendTimeoutMs: 0,
    retry: undefined,
    session: undefined,
  };
}

class Resolver {
  readonly #route: Route;
  readonly #parentNamespace: string;
  readonly #world: RouteWorld;
  readonly unresolved: UnresolvedRef[] = [];

  constructor(route: Route, parentNamespace: string, world: RouteWorld) {
    this.#route = route;
    this.#parentNamespace = parentNamespace;
    this.#world = world;
  }

  rest(spec: RuleSpec): Rest {
    const { requestTimeoutMs, backendTimeoutMs, retry, session } = spec;
    const filters = this.#filters(spec.filters);
    const backends = spec.backends.map(({ target, weight, filters: own }): RouteBackend => {
      const resolved = this.#filters(own);
      const to = this.#resolve(target);
      // A filter that is not ours to apply must not be left out: what would pass it gets 500.
      return { to: resolved ? to : undefined, weight, filters: resolved ?? [] };
    });
    const times = { requestTimeoutMs, backendTimeoutMs, retry, session };
    return filters ? { filters, backends, ...times } : { filters: [], backends: [], ...times };
  }

  /** `undefined`: one of them is a reference that leads nowhere. */
  #filters(specs: readonly FilterSpec[]): readonly RouteFilter[] | undefined {
    const filters = specs.flatMap((spec): readonly RouteFilter[] => {
      if (spec.kind === "extension") {
        const message = `there is no filter ${spec.what}`;
        this.unresolved.push({ reason: "InvalidKind", field: spec.field, message });
        return [];
      }
      if (spec.kind !== "mirror") return [spec];
      const { target, ...rest } = spec;
      return [{ ...rest, to: this.#resolve(target) }];
    });
    return specs.some(({ kind }) => kind === "extension") ? undefined : filters;
  }

  #resolve(target: BackendTarget): BackendRef | undefined {
    const { field } = target;
    if (target.kind === "unsupported") {
      const message = `${target.what} is no Service`;
      this.unresolved.push({ reason: "InvalidKind", field, message });
      return undefined;
    }
    const service = `${target.namespace}/${target.name}`;
    // First, so that nobody learns what there is in other namespaces.
    if (!this.#isPermitted(target)) {
      const message = `no ReferenceGrant permits Service ${service}`;
      this.unresolved.push({ reason: "RefNotPermitted", field, message });
      return undefined;
    }
    const ports = this.#world.findService(target)?.ports;
    if (ports?.some(({ port }) => port === target.port)) return { service, port: target.port };
    const what = ports
      ? `Service ${service} has no TCP port ${target.port}`
      : `there is no Service ${service}`;
    this.unresolved.push({ reason: "BackendNotFound", field, message: what });
    return undefined;
  }

  /** Whoever calls the parent addresses its namespace already: a route back there reaches nothing new. */
  #isPermitted(target: ServiceName): boolean {
    const { kind, namespace } = this.#route;
    const isNear = [namespace, this.#parentNamespace].includes(target.namespace);
    return isNear || this.#world.isGranted({ kind, namespace }, target);
  }
}
