/** What is kept of a request that was refused: enough to ask the policies again, nothing that opens a door. */
import type { DeniedRequest } from "../../core/model/denied-attempt.ts";
import type { Claims, HttpFacts } from "../authz/attempt.ts";
import type { RequestLine } from "../flow/connection-facts.ts";

const MAX_HEADERS = 32;
const MAX_VALUE = 256;
const MAX_TEXT = 512;
/** Names of what is secret, whoever came up with them. */
const SECRET = /auth|cookie|token|secret|password|credential|session|key|jwt|signature|cert/;

export function deniedRequest(http: HttpFacts, { fields }: RequestLine): DeniedRequest {
  const headers: [string, string][] = [];
  const withheld = new Set<string>();
  for (let i = 0; i + 1 < fields.length; i += 2) {
    const name = (fields[i] ?? "").slice(0, MAX_VALUE);
    const value = fields[i + 1] ?? "";
    const isKept = !SECRET.test(name) && value.length <= MAX_VALUE && headers.length < MAX_HEADERS;
    if (isKept) headers.push([name, value]);
    else if (withheld.size < MAX_HEADERS) withheld.add(name);
  }
  const token = tokenOf(http.claims);
  return {
    method: http.method,
    path: http.path.slice(0, MAX_TEXT),
    host: http.host.slice(0, MAX_TEXT),
    headers,
    withheld: [...withheld],
    ...(token ? { token } : {}),
  };
}

function tokenOf(claims: Claims | undefined): DeniedRequest["token"] {
  const { iss, sub } = claims ?? {};
  if (typeof iss !== "string" || typeof sub !== "string") return undefined;
  return { issuer: iss.slice(0, MAX_TEXT), subject: sub.slice(0, MAX_TEXT) };
}
