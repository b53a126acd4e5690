/**
 * What one request tells the balancer of the endpoints that it is sent to: that it is under way there, how long its
 * answer took, and whether that was a good one. Each try once, whatever becomes of it.
 */
import type { Ejection } from "../balance/outliers.ts";
import { httpStatusOfGrpc, isGrpc } from "../http/grpc-status.ts";
import { fieldOf } from "../http/http2-head.ts";
import type { ExchangeOutcome, ResponseHead } from "../http/message.ts";
import type { TryFailure } from "../http/request-way.ts";
import type { Balanced } from "./choose-upstream.ts";

/** Codes of ours for what an endpoint did or did not do, as the status that a gateway has for it. */
const STATUS_OF_CODE: Readonly<Record<string, number>> = {
  app_connection_lost: 503,
  app_protocol_error: 502,
  app_reset: 503,
  request_idle_timeout: 504,
  request_timeout: 504,
  upstream_reset: 503,
  upstream_response_invalid: 502,
};

export type OnEjected = (ejection: Ejection) => void;

export interface AnswerOutcome extends Pick<ExchangeOutcome, "code" | "status"> {
  /** Of gRPC, as its trailers say. */
  readonly grpcStatus?: number | undefined;
}

export class EndpointAccount {
  readonly #onEjected: OnEjected;
  #at: Balanced | undefined;
  #sinceMs = 0;
  /** Of this try. */
  #isJudged = false;

  constructor(onEjected: OnEjected) {
    this.#onEjected = onEjected;
  }

  /** It is about to be sent there, and no longer where it was before. False: there are `most` already; 0: no limit. */
  enter(at: Balanced | undefined, most = 0): boolean {
    this.leave();
    if (at && !at.member.health.begin(most)) return false;
    this.#at = at;
    this.#sinceMs = performance.now();
    this.#isJudged = false;
    return true;
  }

  /** The head of an answer came. */
  answered({ status, fields = [] }: Pick<ResponseHead, "status"> & Partial<ResponseHead>): void {
    if (!this.#at) return;
    const nowMs = performance.now();
    if (!this.#isJudged) this.#at.member.latency.observe(nowMs - this.#sinceMs, nowMs);
    if (status !== 200 || !this.#asksAnswers() || !isGrpc(fields)) this.#judge(status, nowMs);
    else {
      const grpc = fieldOf(fields, "grpc-status");
      // Else its trailers say it.
      if (grpc !== undefined) this.#judge(httpStatusOfGrpc(Number(grpc)), nowMs);
    }
  }

  /** None came from where it is: HTTP's status for that. */
  missed(status: number): void {
    this.#judge(status, performance.now());
  }

  /** This try is none that the caller hears of, maybe. */
  again(failure: TryFailure): void {
    switch (failure.kind) {
      case "status":
        this.answered(failure);
        break;
      case "grpc":
        this.missed(httpStatusOfGrpc(failure.status));
        break;
      case "lost":
      case "reset":
        this.missed(503);
        break;
      case "late":
        this.missed(504);
        break;
      case "unreachable":
        // Said by `missed`, where it is the endpoint's fault.
        break;
      case "refused":
        // It may do better with the next: RFC 9113 8.7.
        break;
    }
  }

  /** Another endpoint has answered before: this one would have taken longer still. */
  overtaken(): void {
    const nowMs = performance.now();
    const tookMs = nowMs - this.#sinceMs;
    const latency = this.#at?.member.latency;
    const isNews = !this.#isJudged && tookMs > (latency?.cost(0, nowMs) ?? tookMs);
    if (isNews) latency?.observe(tookMs, nowMs);
    this.leave();
  }

  /** It is over. */
  done({ code, status, grpcStatus }: AnswerOutcome): void {
    const bad = STATUS_OF_CODE[code];
    if (bad !== undefined) this.missed(bad);
    else if (code === "" && status > 0) {
      this.missed(grpcStatus === undefined ? status : httpStatusOfGrpc(grpcStatus));
    }
    this.leave();
  }

  leave(): void {
    this.#at?.member.health.finish();
    this.#at = undefined;
  }

  /** Somebody wants to know how it answers. */
  #asksAnswers(): boolean {
    return this.#at?.balancer.settings.http.outliers !== undefined;
  }

  #judge(status: number, nowMs: number): void {
    if (!this.#at || this.#isJudged) return;
    this.#isJudged = true;
    const { balancer, member } = this.#at;
    for (const ejection of balancer.answered(member, status, nowMs)) this.#onEjected(ejection);
  }
}
