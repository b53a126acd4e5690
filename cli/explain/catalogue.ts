/**
 * Every stable code that a node proxy tells in its access log, its metrics or `x-weft-reason`, with what to do about it.
 *
 * A test holds it to the sources and docs/access-log.md to it. Looks at no mesh.
 */
import type { CodeGroup } from "./code-group.ts";
import { END_CODES, PEER_CODES } from "./end-codes.ts";
import { HTTP_CODES } from "./http-codes.ts";
import { AUTHORIZER_ANSWERS, RATE_SERVICE_ANSWERS, THREAD_DEATHS } from "./other-codes.ts";
import { PLUGIN_CODES } from "./plugin-codes.ts";
import { LIMIT_CODES, POLICY_CODES, TOKEN_CODES } from "./policy-codes.ts";
import { REACH_CODES } from "./reach-codes.ts";
import { EXCHANGE_CODES, REQUEST_CODES } from "./request-codes.ts";
import { RESILIENCE_CODES } from "./resilience-codes.ts";
import { TUNNEL_CODES } from "./tunnel-codes.ts";

/** In the order of docs/access-log.md; what other fields and metrics tell comes last. */
export const CODE_GROUPS: readonly CodeGroup[] = [
  POLICY_CODES,
  REQUEST_CODES,
  TOKEN_CODES,
  HTTP_CODES,
  EXCHANGE_CODES,
  RESILIENCE_CODES,
  PLUGIN_CODES,
  LIMIT_CODES,
  TUNNEL_CODES,
  REACH_CODES,
  PEER_CODES,
  END_CODES,
  AUTHORIZER_ANSWERS,
  RATE_SERVICE_ANSWERS,
  THREAD_DEATHS,
];

export interface ExplainedCode {
  readonly code: string;
  /** Of the group that it belongs to. */
  readonly group: string;
  readonly place: string;
  readonly meaning: string;
  readonly cause: string;
  readonly cure: string;
  readonly toldIn: readonly string[];
}

export function explainedCodes(): readonly ExplainedCode[] {
  return CODE_GROUPS.flatMap(({ title: group, place, toldIn, codes }) =>
    Object.entries(codes).map(([code, [meaning, cause, cure]]) => {
      return { code, group, place, meaning, cause, cure, toldIn };
    }),
  );
}
