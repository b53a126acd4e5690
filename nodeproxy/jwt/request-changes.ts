/** What the workload gets to see of a token: the claims that rules put into headers, and not the token, unless they say so. Pure. */
import type { JwtRule } from "../../core/model/request-authentication.ts";
import type { Claims } from "../authz/attempt.ts";
import { type FoundToken, type TokenCarrier, withoutToken } from "./find-tokens.ts";

export interface RequestChanges {
  /** Lower case. Removed first, all lines of each. */
  readonly remove: readonly string[];
  readonly set: readonly (readonly [name: string, value: string])[];
  /** In place of the request's path and query; absent: as it is. */
  readonly target?: string;
}

export interface AcceptedToken {
  /** Where it was found, perhaps in several places. */
  readonly found: readonly FoundToken[];
  readonly rule: JwtRule;
  readonly claims: Claims;
  readonly payload: string;
}

/** Headers that rules write are removed from every request, token or not: callers could write them as well. */
export function requestChanges(
  rules: readonly JwtRule[],
  carrier: TokenCarrier,
  accepted: AcceptedToken | undefined,
): RequestChanges {
  const written = rules.flatMap(({ outputPayloadToHeader, outputClaimToHeaders }) => [
    ...(outputPayloadToHeader === "" ? [] : [outputPayloadToHeader]),
    ...outputClaimToHeaders.map(({ header }) => header),
  ]);
  if (!accepted) return { remove: [...new Set(written)], set: [] };
  const stripped = accepted.rule.forwardOriginalToken
    ? { remove: [], set: [] }
    : stripTokens(accepted.found, carrier);
  const { target } = stripped;
  return {
    remove: [...new Set([...written, ...stripped.remove])],
    set: [...stripped.set, ...outputsOf(accepted)],
    ...(target === undefined ? {} : { target }),
  };
}

function stripTokens(found: readonly FoundToken[], carrier: TokenCarrier): RequestChanges {
  const headers = new Map<string, string | undefined>();
  let { target } = carrier;
  for (const { place } of found) {
    const removal = withoutToken(place, { ...carrier, target, headers: seenAs(headers, carrier) });
    if ("target" in removal) target = removal.target;
    else headers.set(removal.header, removal.value);
  }
  return {
    remove: [...headers.keys()],
    set: [...headers].flatMap(([name, value]) => (value === undefined ? [] : [[name, value]])),
    ...(target === carrier.target ? {} : { target }),
  };
}

/** With what was stripped before. */
function seenAs(
  changed: ReadonlyMap<string, string | undefined>,
  { headers }: TokenCarrier,
): TokenCarrier["headers"] {
  return {
    get: (name) => {
      if (!changed.has(name)) return headers.get(name);
      const value = changed.get(name);
      return value === undefined ? undefined : [value];
    },
  };
}

function outputsOf({ rule, claims, payload }: AcceptedToken): readonly [string, string][] {
  const { outputPayloadToHeader: whole, outputClaimToHeaders } = rule;
  const single = outputClaimToHeaders.flatMap(({ header, claim }): [string, string][] => {
    const value = headerValue(claimAt(claims, claim));
    return value === undefined ? [] : [[header, value]];
  });
  return whole === "" ? single : [[whole, payload], ...single];
}

function claimAt(claims: Claims, path: readonly string[]): unknown {
  let value: unknown = claims;
  for (const name of path) {
    const isObject = typeof value === "object" && value !== null && !Array.isArray(value);
    value = isObject && Object.hasOwn(value as Claims, name) ? (value as Claims)[name] : undefined;
  }
  return value;
}

/** As Envoy writes it: lists and objects as base64 of their JSON. A text that no header can hold is left out. */
function headerValue(value: unknown): string | undefined {
  if (typeof value === "number" || typeof value === "boolean") return String(value);
  if (typeof value === "object" && value !== null) {
    return base64Json(value);
  }
  // Controls would end the line, or worse.
  if (typeof value !== "string" || /\p{Cc}/u.test(value)) return undefined;
  // Node writes a header byte for byte from such a text.
  return Buffer.from(value, "utf8").toString("latin1");
}

function base64Json(value: object): string | undefined {
  try {
    return Buffer.from(JSON.stringify(value), "utf8").toString("base64");
  } catch {
    // Deeper than the stack.
    return undefined;
  }
}
