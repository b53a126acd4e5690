/** Where a redirect sends a client (Gateway API HTTPRequestRedirectFilter). Pure. */
import type { RedirectFilter } from "../../../core/model/http-route.ts";
import type { RequestHead } from "../message.ts";
import { compilePathChange } from "./change-path.ts";
import type { RulePlace } from "./rule-place.ts";

export interface Redirect {
  readonly status: number;
  location(head: RequestHead): string;
}

const WELL_KNOWN: Readonly<Record<string, number>> = { http: 80, https: 443 };

export function compileRedirect(filter: RedirectFilter, { prefix, port }: RulePlace): Redirect {
  const changePath = filter.path ? compilePathChange(filter.path, prefix) : undefined;
  const scheme = filter.scheme.toLowerCase();
  // "If redirect scheme is not-empty, the redirect port MUST be the well-known port associated with the redirect scheme."
  // "If redirect scheme is empty, the redirect port MUST be the Gateway Listener port." Here that of the Service.
  const target = filter.port > 0 ? filter.port : (WELL_KNOWN[scheme] ?? port);
  return {
    status: filter.status,
    location(head) {
      const path = (changePath ? changePath(head.path) : head.path) + head.query;
      const host = filter.hostname === "" ? hostOf(head.authority) : filter.hostname;
      // HTTP/1.0 may name no host. Two slashes would begin one.
      if (host === "") return path.replace(/^\/+/, "/");
      const to = scheme === "" ? head.scheme : scheme;
      // "Implementations SHOULD NOT add the port number in the 'Location' header" where it is the scheme's own.
      const suffix = WELL_KNOWN[to] === target ? "" : `:${target}`;
      return `${to}://${host}${suffix}${path.startsWith("/") ? path : `/${path}`}`;
    },
  };
}

/** Without the port; an IPv6 address with its brackets. */
function hostOf(authority: string): string {
  const colon = authority.lastIndexOf(":");
  return colon < 0 || authority.endsWith("]") ? authority : authority.slice(0, colon);
}
