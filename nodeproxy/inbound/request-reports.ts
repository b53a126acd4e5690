/** What the log, the metrics and `weftctl why` are told of one request: once, whatever becomes of it. */
import type { Attempt } from "../authz/attempt.ts";
import type { Decision } from "../authz/decide.ts";
import type { Denial } from "../authz/verdict.ts";
import type {
  AskedProvider,
  ConnectionFacts,
  ConnectionOutcome,
} from "../flow/connection-facts.ts";
import type { Refusal } from "../flow/connections.ts";
import type { ExchangeOutcome, RequestHead } from "../http/message.ts";
import { refusalOf, watchedFacts } from "./decision-facts.ts";
import type { GatedConnection } from "./request-gate.ts";

export interface RequestReports {
  /** Refused before policies were asked. */
  unjudged(status: number, code: string): void;
  judged(judged: JudgedRequest): JudgedReports;
}

interface JudgedReports {
  refused(status: number, refusal: Refusal): void;
  /** `cut`: it was ended by a change of policy. */
  ended(outcome: ExchangeOutcome, cut: Denial | undefined): void;
}

interface JudgedRequest {
  readonly decision: Decision;
  readonly attempt: Attempt;
  readonly asked?: readonly AskedProvider[];
}

const NOTHING = { carried: false, bytesSent: 0, bytesReceived: 0 };

export function reportsOf({ pod, facts }: GatedConnection, head: RequestHead): RequestReports {
  const sinceMs = Date.now();
  const { method, path, authority: host, fields, trace } = head;
  function report(
    judged: JudgedRequest | undefined,
    answered: Pick<ExchangeOutcome, "status" | "grpcStatus">,
    outcome: ConnectionOutcome,
  ): void {
    const { status, grpcStatus } = answered;
    const said = { method, path: judged?.attempt.http?.path ?? path, host, status, fields };
    const traced = trace ? { trace, ...(grpcStatus === undefined ? {} : { grpcStatus }) } : {};
    const request = { ...said, ...traced };
    const { lease: _lease, ...shared } = facts;
    const told: ConnectionFacts = { ...shared, sinceMs, request, ...factsIn(judged) };
    const watched = judged ? watchedFacts(told, judged.decision) : told;
    pod.connections.reportRequest(watched, outcome);
  }
  return {
    unjudged: (status, code) => report(undefined, { status }, { code, ...NOTHING }),
    judged: (judged) => ({
      refused: (status, refusal) => report(judged, { status }, { ...refusal, ...NOTHING }),
      ended: (outcome, cut) => {
        const ending: Refusal = cut ? refusalOf(cut) : { code: outcome.code };
        const { requestBytes: bytesSent, responseBytes: bytesReceived } = outcome;
        report(judged, outcome, { ...ending, carried: true, bytesSent, bytesReceived });
      },
    }),
  };
}

function factsIn(judged: JudgedRequest | undefined): Pick<ConnectionFacts, "attempt" | "asked"> {
  if (!judged) return {};
  const { attempt, asked } = judged;
  return { attempt, ...(asked && asked.length > 0 ? { asked } : {}) };
}
