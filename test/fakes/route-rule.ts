/** A rule of a compiled route, of which a test says only what it is about. */
import type { RouteRule } from "../../core/model/http-route.ts";

export function routeRule({ match, ...part }: Partial<RouteRule>): RouteRule {
  return {
    kind: "HTTPRoute",
    route: "shop/web",
    rule: "0",
    match: { path: { kind: "prefix", value: "" }, headers: [], query: [], method: "", ...match },
    filters: [],
    backends: [],
    requestTimeoutMs: 0,
    backendTimeoutMs: 0,
    retry: undefined,
    session: undefined,
    ...part,
  };
}

/** All of the requests, in port 80 of that Service in `shop`. */
export function backendsTo(...services: readonly string[]): RouteRule["backends"] {
  return services.map((name) => ({
    to: { service: `shop/${name}`, port: 80 },
    weight: 1,
    filters: [],
  }));
}
