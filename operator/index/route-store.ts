/**
 * HTTPRoutes, GRPCRoutes and ReferenceGrants, joined with the Services that they speak of: which Services and their routes
 * does a change concern, and what are they then?
 *
 * As with pods a change only marks Services; `settle()` compiles the marked ones once.
 */

import type { HttpVersion } from "../../core/model/enrolment.ts";
import { askedHttp } from "../compile/asked-http.ts";
import { createResource } from "../compile/resource-version.ts";
import type { ServiceName } from "../compile/route-rules.ts";
import { compileService } from "../compile/service.ts";
import {
  type CompiledServiceRoutes,
  compileServiceRoutes,
  type ParentOutcome,
} from "../compile/service-routes.ts";
import { parseGrpcRoute } from "../resources/grpc-route.ts";
import { parseHttpRoute } from "../resources/http-route.ts";
import { type KubeObject, objectKey } from "../resources/kube-object.ts";
import { parseReferenceGrant, permits, type ReferenceGrant } from "../resources/reference-grant.ts";
import type { Route } from "../resources/route.ts";
import type { IsExpression } from "../resources/route-match.ts";
import type { Service } from "../resources/service.ts";
import { httpSections } from "./http-sections.ts";
import { NamespacedStore } from "./namespaced-store.ts";
import type { PolicyStore } from "./policy-store.ts";
import type { ResourceTable } from "./resource-table.ts";

export interface RouteStoreOptions {
  readonly services: NamespacedStore<Service>;
  readonly table: ResourceTable;
  readonly isExpression: IsExpression;
  readonly policies: PolicyStore;
}

interface HeldRoute {
  readonly object: KubeObject;
  readonly route: Route;
  /** `namespace/name` of the Services that it speaks of. */
  readonly services: ReadonlySet<string>;
}

/** A route with what became of its parentRefs, in their order. */
export interface RouteState {
  readonly object: KubeObject;
  readonly route: Route;
  readonly outcomes: readonly ParentOutcome[];
}

export class RouteStore {
  readonly #options: RouteStoreOptions;
  readonly #routes = new Map<string, HeldRoute>();
  /** Service → keys of the routes that speak of it, as a parent or as a backend. */
  readonly #speakers = new Map<string, Set<string>>();
  readonly #grants = new NamespacedStore<ReferenceGrant>();
  readonly #compiled = new Map<string, CompiledServiceRoutes>();
  /** By `namespace/name`. */
  readonly #marked = new Map<string, ServiceName>();

  constructor(options: RouteStoreOptions) {
    this.#options = options;
  }

  /** An object of another kind changes nothing. */
  set(object: KubeObject, isThere: boolean): void {
    if (object.kind === "ReferenceGrant") this.#setGrant(object, isThere);
    else if (object.kind === "HTTPRoute" || object.kind === "GRPCRoute") {
      this.#setRoute(object, isThere);
    }
  }

  #setRoute(object: KubeObject, isThere: boolean): void {
    const key = objectKey(object);
    const before = this.#routes.get(key);
    if (isThere && before && isSameRoute(before.object, object)) {
      this.#routes.set(key, { ...before, object });
      return;
    }
    this.#markParents(before?.route);
    for (const service of before?.services ?? []) this.#forget(service, key);
    this.#routes.delete(key);
    if (!isThere) return;
    const route = this.#parse(object);
    const services = servicesOf(route);
    this.#routes.set(key, { object, route, services });
    for (const service of services) {
      this.#speakers.set(service, (this.#speakers.get(service) ?? new Set<string>()).add(key));
    }
    this.#markParents(route);
  }

  #setGrant(object: KubeObject, isThere: boolean): void {
    const { metadata } = object;
    if (isThere) this.#grants.put(metadata, parseReferenceGrant(object));
    else this.#grants.drop(metadata);
    for (const { route, services } of this.#routes.values()) {
      const isMeant = [...services].some((name) => name.startsWith(`${metadata.namespace}/`));
      if (isMeant) this.#markParents(route);
    }
  }

  /** It has come, gone or changed. */
  serviceChanged(service: ServiceName): void {
    this.mark(service);
    for (const key of this.#speakers.get(refOf(service)) ?? []) {
      this.#markParents(this.#routes.get(key)?.route);
    }
  }

  /** To be compiled again. */
  mark({ namespace, name }: ServiceName): void {
    this.#marked.set(`${namespace}/${name}`, { namespace, name });
  }

  /** What routes make of its ports that declare nothing, as of the last batch. */
  routedPorts(service: ServiceName): ReadonlyMap<number, HttpVersion> {
    return this.#compiled.get(refOf(service))?.http ?? new Map();
  }

  settle(): void {
    for (const [ref, name] of this.#marked) this.#publish(ref, name);
    this.#marked.clear();
  }

  /** Of all routes, those without a Service as parent too. */
  states(): readonly RouteState[] {
    const outcomes = new Map<RouteState["route"], ParentOutcome[]>();
    for (const { outcomes: of } of this.#compiled.values()) {
      for (const outcome of of) {
        const list = outcomes.get(outcome.route) ?? [];
        list.push(outcome);
        outcomes.set(outcome.route, list);
      }
    }
    return [...this.#routes.values()].map(({ object, route }) => {
      const { parents } = route;
      const found = outcomes.get(route) ?? [];
      const inOrder = found.toSorted(
        (a, b) => parents.indexOf(a.parent) - parents.indexOf(b.parent),
      );
      return { object, route, outcomes: inOrder };
    });
  }

  #publish(ref: string, name: ServiceName): void {
    const { services, table, policies } = this.#options;
    const routes = this.#attachedTo(ref, name);
    const service = services.get(name);
    const compiled = compileServiceRoutes(name, routes, {
      findService: (wanted) => services.get(wanted),
      isGranted: (from, to) => {
        return this.#grants.inNamespace(to.namespace).some((grant) => permits(grant, from, to));
      },
    });
    if (routes.length > 0) this.#compiled.set(ref, compiled);
    else this.#compiled.delete(ref);
    const value = compiled.routes;
    if (value) table.put(createResource(ref, { kind: "routes", value }));
    else table.drop({ kind: "routes", name: ref });
    if (!service) return;
    const section = httpSections(policies, name.namespace).get(name.name);
    // Of a port that both ask for a route says the version.
    const http = new Map([...(section ? askedHttp(section, service) : []), ...compiled.http]);
    table.put(createResource(ref, { kind: "service", value: compileService(service, http) }));
  }

  #attachedTo(ref: string, name: ServiceName): readonly Route[] {
    return [...(this.#speakers.get(ref) ?? [])].flatMap((key) => {
      const route = this.#routes.get(key)?.route;
      return route?.parents.some((parent) => isSame(parent, name)) ? [route] : [];
    });
  }

  #parse(object: KubeObject): Route {
    const { isExpression } = this.#options;
    return object.kind === "GRPCRoute"
      ? parseGrpcRoute(object, isExpression)
      : parseHttpRoute(object, isExpression);
  }

  #markParents(route: Route | undefined): void {
    for (const parent of route?.parents ?? []) this.mark(parent);
  }

  #forget(service: string, key: string): void {
    const keys = this.#speakers.get(service);
    keys?.delete(key);
    if (keys?.size === 0) this.#speakers.delete(service);
  }
}

/** Nothing but its status, or whoever manages its fields: what a route is depends on none of these. */
function isSameRoute(a: KubeObject, b: KubeObject): boolean {
  const { uid, generation } = a.metadata;
  return generation > 0 && uid === b.metadata.uid && generation === b.metadata.generation;
}

function servicesOf({ parents, rules }: Route): ReadonlySet<string> {
  const targets = rules.flatMap((rule) => {
    if (rule.kind === "unread") return [];
    const { filters, backends } = rule.value;
    const all = [...filters, ...backends.flatMap((backend) => backend.filters)];
    return [
      ...backends.map(({ target }) => target),
      ...all.flatMap((filter) => (filter.kind === "mirror" ? [filter.target] : [])),
    ];
  });
  const named = targets.flatMap((target) => (target.kind === "service" ? [target] : []));
  return new Set([...parents, ...named].map(refOf));
}

function isSame(a: ServiceName, b: ServiceName): boolean {
  return a.namespace === b.namespace && a.name === b.name;
}

function refOf({ namespace, name }: ServiceName): string {
  return `${namespace}/${name}`;
}
