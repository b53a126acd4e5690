/** Is a request one of those that a rate limit is about? By the head that the pod will see, after all policies. */
import type { RateLimit } from "../../core/model/rate-limit.ts";
import type { HttpFacts } from "../authz/attempt.ts";

export interface LimitedRequest {
  /** The workload's. */
  readonly port: number;
  /** `spiffe://…` as proven, "" for plaintext. */
  readonly caller: string;
  /** Of the original client. */
  readonly remoteIp: readonly number[];
  readonly http: HttpFacts;
}

type Matched = Pick<RateLimit, "ports" | "pathPrefix" | "methods" | "hosts" | "headers">;

export function isLimited(limit: Matched, { port, http }: LimitedRequest): boolean {
  const { ports, pathPrefix, methods, hosts, headers } = limit;
  if (!ports.includes(port)) return false;
  if (methods.length > 0 && !methods.includes(http.method)) return false;
  if (hosts.length > 0 && !hasHost(hosts, http.host)) return false;
  return (
    hasPrefix(pathPrefix, http.path) && headers.every(([name, value]) => has(http, name, value))
  );
}

function hasPrefix(prefix: string, path: string): boolean {
  return prefix === "" || path === prefix || path.startsWith(`${prefix}/`);
}

function hasHost(hosts: readonly string[], sent: string): boolean {
  const host = sent.toLowerCase().replace(/:\d*$/, "").replace(/\.$/, "");
  return hosts.some((one) => (one.startsWith("*.") ? host.endsWith(one.slice(1)) : host === one));
}

/** Lines of one name are one value (RFC 9110 5.3). */
function has({ headers }: HttpFacts, name: string, value: string): boolean {
  return headers.get(name)?.join(", ") === value;
}
