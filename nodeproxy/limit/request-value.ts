/** What a request is told apart by, as a text. */
import { formatIp } from "../../core/model/ip.ts";
import type { RateEntryValue, RateKey } from "../../core/model/rate-limit.ts";
import { claimTexts } from "../authz/token-facts.ts";
import type { LimitedRequest } from "./limit-match.ts";

/** In characters. Callers write headers: what is longer is counted by its beginning. */
const MAX_VALUE = 256;

/** "" for what the request does not have. */
export function requestValue(of: RateKey | RateEntryValue, request: LimitedRequest): string {
  return wholeValue(of, request).slice(0, MAX_VALUE);
}

function wholeValue(of: RateKey | RateEntryValue, request: LimitedRequest): string {
  const { caller, http, remoteIp } = request;
  switch (of.kind) {
    case "everybody":
      return "";
    case "text":
      return of.text;
    case "identity":
      return caller;
    case "header":
      return (http.headers.get(of.name) ?? []).join(", ");
    case "claim":
      return claimTexts(http.claims, of.path).join(" ");
    case "method":
    case "path":
      return http[of.kind];
    case "remoteAddress":
      return formatIp(remoteIp);
  }
}
