/**
 * Cross-origin requests (Fetch, 3.2; Gateway API HTTPCORSFilter): the answer to a preflight, and what an actual
 * response says beside. Pure.
 *
 * An origin that is not allowed gets no word of it, and its browser refuses; the request itself is nobody's to refuse here.
 */
import type { CorsFilter } from "../../../core/model/http-route.ts";
import type { FieldLines, RequestHead, ResponseHead } from "../message.ts";

import { compileOrigins } from "./origin-pattern.ts";

export interface Cors {
  /** `undefined`: no preflight, but a request to be forwarded. */
  preflight(head: RequestHead): FieldLines | undefined;
  /** For the response to that request. */
  responseTo(head: RequestHead): (response: ResponseHead) => ResponseHead;
}

/** Fetch 4.8: "A CORS-preflight request is a CORS request that checks to see if the CORS protocol is understood". */
export function preflightMethod({ method, fields }: RequestHead): string {
  if (method !== "OPTIONS" || fieldOf(fields, "origin") === "") return "";
  return fieldOf(fields, "access-control-request-method");
}

export function compileCors(filter: CorsFilter): Cors {
  const isAllowed = compileOrigins(filter.origins);
  const isAnyone = filter.origins.includes("*") && !filter.credentials;
  return {
    preflight(head) {
      const method = preflightMethod(head);
      if (method === "") return undefined;
      const origin = fieldOf(head.fields, "origin");
      if (!isAllowed(origin)) return ["vary", "origin"];
      const headers = fieldOf(head.fields, "access-control-request-headers");
      return [
        ...allowing(filter, origin),
        ...listed("access-control-allow-methods", named(filter, filter.methods, method)),
        ...listed("access-control-allow-headers", named(filter, filter.requestHeaders, headers)),
        "access-control-max-age",
        String(filter.maxAgeSeconds),
        ...(isAnyone ? [] : ["vary", "origin"]),
      ];
    },
    responseTo(head) {
      const origin = fieldOf(head.fields, "origin");
      const isTold = origin !== "" && isAllowed(origin);
      return (response) => {
        // Caches must know that another origin, or none, would be told something else.
        const fields = isAnyone ? response.fields : varied(response.fields);
        if (!isTold) return { ...response, fields };
        return { ...response, fields: [...withoutOwn(fields), ...exposed(filter, origin, fields)] };
      };
    },
  };
}

function allowing({ origins, credentials }: CorsFilter, origin: string): FieldLines {
  const allowed = origins.includes("*") && !credentials ? "*" : origin;
  const told = ["access-control-allow-origin", allowed];
  return credentials ? [...told, "access-control-allow-credentials", "true"] : told;
}

/** "can only use `*` wildcard as value when the `AllowCredentials` field is false": else what was asked for, or nothing. */
function named({ credentials }: CorsFilter, names: readonly string[], asked: string): string {
  return names.includes("*") && credentials ? asked : names.join(", ");
}

function listed(name: string, value: string): FieldLines {
  return value === "" ? [] : [name, value];
}

function exposed(filter: CorsFilter, origin: string, fields: FieldLines): FieldLines {
  const names = fields.filter((name, i) => i % 2 === 0 && name !== "set-cookie");
  const value = named(filter, filter.exposeHeaders, [...new Set(names)].join(", "));
  return [...allowing(filter, origin), ...listed("access-control-expose-headers", value)];
}

const OWN: ReadonlySet<string> = new Set([
  "access-control-allow-origin",
  "access-control-allow-credentials",
  "access-control-expose-headers",
]);

/** A second word from the backend would make both void. */
function withoutOwn(fields: FieldLines): FieldLines {
  return fields.filter((_, i) => !OWN.has(fields[i - (i % 2)] ?? ""));
}

function varied(fields: FieldLines): FieldLines {
  for (let i = 0; i + 1 < fields.length; i += 2) {
    if (fields[i] === "vary" && /(?:^|,)\s*(?:\*|origin)\s*(?:,|$)/i.test(fields[i + 1] ?? "")) {
      return fields;
    }
  }
  return [...fields, "vary", "origin"];
}

/** "" where there is none. */
function fieldOf(fields: FieldLines, name: string): string {
  for (let i = 0; i + 1 < fields.length; i += 2) if (fields[i] === name) return fields[i + 1] ?? "";
  return "";
}
