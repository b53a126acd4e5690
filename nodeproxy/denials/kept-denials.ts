/**
 * The last calls that policy refused at this node, each under an id that its line of the access log
 * carries, so that `weftctl why ID` can tell of them.
 *
 * Bounded: the oldest make room. Keeps what was decided on and no more: no token, no header that may hold a
 * secret, no object of the connection.
 */
import type { CompiledPolicy } from "../../core/model/authorization-policy.ts";
import type {
  DecidingPolicy,
  DeniedAttempt,
  DeniedFacts,
} from "../../core/model/denied-attempt.ts";
import { formatIp } from "../../core/model/ip.ts";
import type { Attempt } from "../authz/attempt.ts";
import type { DenyReason } from "../authz/verdict.ts";
import type { FromTraffic, ToTraffic } from "../channel/messages.ts";
import type { ConnectionFacts, ConnectionOutcome, RequestLine } from "../flow/connection-facts.ts";
import { createDenialIds } from "./denial-id.ts";
import { deniedRequest } from "./denied-request.ts";
import { policyMark } from "./policy-mark.ts";

/** About 1 KB each. */
export const MAX_DENIALS = 1_000;

const REASONS: Readonly<Record<DenyReason, true>> = {
  denied_by_policy: true,
  denied_by_provider: true,
  not_allowed: true,
  policy_invalid: true,
  policy_missing: true,
  policy_unknown: true,
  plaintext_refused: true,
};

type Question = Extract<ToTraffic, { readonly kind: "denial_request" }>;
type Answer = Extract<FromTraffic, { readonly kind: "denial" }>;

export interface KeptDenialsOptions {
  readonly node: string;
  readonly policyOf: (ref: string) => CompiledPolicy | undefined;
  readonly now?: () => number;
}

export class KeptDenials {
  readonly #policyOf: KeptDenialsOptions["policyOf"];
  readonly #now: () => number;
  readonly #nextId: () => string;
  /** The oldest first: a map keeps the order in which it was filled. */
  readonly #kept = new Map<string, DeniedAttempt>();

  constructor({ node, policyOf, now }: KeptDenialsOptions) {
    this.#policyOf = policyOf;
    this.#now = now ?? Date.now;
    this.#nextId = createDenialIds(node);
  }

  /** The id that it is kept under; `undefined` for an end that was no decision of policy. */
  note(facts: ConnectionFacts, outcome: ConnectionOutcome): string | undefined {
    const { attempt } = facts;
    if (!attempt || !Object.hasOwn(REASONS, outcome.code)) return undefined;
    const id = this.#nextId();
    if (this.#kept.size >= MAX_DENIALS) {
      const [oldest = ""] = this.#kept.keys();
      this.#kept.delete(oldest);
    }
    const decided = this.#decided(outcome);
    this.#kept.set(id, {
      id,
      timeMs: this.#now(),
      code: outcome.code,
      ...(decided ? { decided } : {}),
      wasOpen: outcome.carried,
      pod: facts.pod,
      workload: nameOf(facts.destination),
      source: facts.sourceAddress,
      sourceWorkload: nameOf(facts.source),
      facts: factsOf(attempt, facts.request),
    });
    return id;
  }

  answer({ id, denial }: Question): Answer {
    const attempt = this.#kept.get(denial);
    return { kind: "denial", id, ...(attempt ? { attempt } : {}) };
  }

  #decided({ policy, rule }: ConnectionOutcome): DecidingPolicy | undefined {
    if (policy === undefined) return undefined;
    const compiled = this.#policyOf(policy);
    const mark = compiled ? policyMark(compiled) : "";
    return { policy, ...(rule === undefined ? {} : { rule }), mark };
  }
}

function nameOf({ namespace, name }: ConnectionFacts["source"]): string {
  return name === "" ? "" : `${namespace}/${name}`;
}

function factsOf(attempt: Attempt, request: RequestLine | undefined): DeniedFacts {
  const { peer, sourceIp, destinationIp, destinationPort, sni, remoteIp, http } = attempt;
  return {
    ...(peer ? { peer } : {}),
    sourceIp: textOf(sourceIp),
    destinationIp: textOf(destinationIp),
    destinationPort,
    ...(sni === undefined ? {} : { sni }),
    ...(remoteIp ? { remoteIp: textOf(remoteIp) } : {}),
    ...(http && request ? { request: deniedRequest(http, request) } : {}),
  };
}

/** An address that could not be read has no bytes. */
function textOf(bytes: readonly number[]): string {
  return bytes.length === 0 ? "" : formatIp(bytes);
}
