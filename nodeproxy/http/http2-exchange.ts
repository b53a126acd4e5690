/**
 * One request over HTTP/2, from its head to the end of both directions: judged first, then carried to the
 * application, body by body, or answered here.
 *
 *   caller ── front ══ back ── application     RST_STREAM each way, with the code that says the same there
 *
 * Until the judge has answered nothing of the body is read: the window holds it. One exchange's failure stays its own.
 */
import { constants, type ServerHttp2Stream } from "node:http2";
import { isGrpc } from "./grpc-status.ts";
import { grpcTimeoutOf, shorterTimeout } from "./grpc-timeout.ts";
import type { Reaching } from "./http1-back.ts";
import type { Http2Back } from "./http2-back.ts";
import { copyBody, type Trailers } from "./http2-body.ts";
import type { BrokenStream, CarrierUser, Http2Carrier } from "./http2-carrier.ts";
import { parseHttp2Head } from "./http2-head.ts";
import { endRequest, grpcTrailers, type Refusal, refusal, refuseStream } from "./http2-refusal.ts";
import { Http2RequestBody } from "./http2-request-body.ts";
import { resetToCaller, resetToForbid } from "./http2-reset.ts";
import { changedResponse, responseOf } from "./http2-response.ts";
import { respondOptions } from "./http2-settings.ts";
import { failureOf, Http2Try, type TryHearer } from "./http2-try.ts";
import type { ExchangeOutcome, FieldLines, Gate, GateAnswer, RefusedUnread } from "./message.ts";
import { type Late, lateCode, RequestTries, type Trying } from "./request-tries.ts";
import type { RequestWay, TryFailure } from "./request-way.ts";

export interface ExchangeLine {
  readonly gate: Gate;
  readonly back: Http2Back;
  readonly maxFields: number;
  readonly refused: RefusedUnread;
}

type Passed = Extract<GateAnswer, { readonly kind: "pass" }>;

/** Of 1xx, which an application may send as many as it likes. */
const MAX_INFORMATIONAL = 32;
/** Of gRPC. */
const DEADLINE_EXCEEDED = 4;

export class Http2Exchange implements CarrierUser, TryHearer, Trying {
  readonly #front: ServerHttp2Stream;
  readonly #line: ExchangeLine;
  readonly #sinceMs = performance.now();
  readonly #body: Http2RequestBody;
  readonly #isWhole: boolean;
  #tries: RequestTries | undefined;
  #reaching: Reaching | undefined;
  #try: Http2Try | undefined;
  #passed: Passed | undefined;
  #release: (() => void) | undefined;
  #isGrpc = false;
  #informational = 0;
  /** What the caller hears at the end is ours. */
  #isAnsweredHere = false;
  #status = 0;
  #answerTrailers: Trailers | undefined;
  #responseBytes = 0;
  /** Why it did not end in order: whatever was first. */
  #code = "";

  /** `isWhole`: no body follows. */
  constructor(front: ServerHttp2Stream, line: ExchangeLine, isWhole: boolean) {
    this.#front = front;
    this.#line = line;
    this.#isWhole = isWhole;
    this.#body = new Http2RequestBody(front);
    front.on("error", ignore);
    front.once("close", () => this.#frontClosed());
  }

  begin(lines: FieldLines): void {
    const parsed = parseHttp2Head(lines, this.#line.maxFields);
    this.#isGrpc = isGrpc(lines);
    if (parsed.kind === "refuse") {
      this.#refuse(refusal(parsed.status, parsed.fault));
      this.#line.refused(parsed.fault, this.#status);
      return;
    }
    const answer = this.#line.gate(parsed.head);
    if ("then" in answer) void this.#judgedLate(answer);
    else this.#judged(answer);
  }

  async #judgedLate(answer: Promise<GateAnswer>): Promise<void> {
    this.#judged(await answer);
  }

  #judged(answer: GateAnswer): void {
    if (answer.kind === "refuse") {
      this.#refuse(answer);
      return;
    }
    this.#passed = answer;
    if (this.#isFrontOver()) {
      this.#code ||= "caller_gone";
      this.#finish();
      return;
    }
    this.#release = answer.hold(() => this.#forbid());
    const { way } = answer;
    if (way) this.#setOut(way, answer.head.fields);
    this.#reach();
  }

  #setOut(way: RequestWay, fields: FieldLines): void {
    const timeoutMs = this.#isGrpc ? grpcTimeoutOf(fields) : 0;
    const requestTimeoutMs = shorterTimeout(way.requestTimeoutMs, timeoutMs);
    this.#tries = new RequestTries(way, this, requestTimeoutMs);
    this.#body.keep(way.keptOctets);
  }

  #reach(): void {
    if (this.#isOver()) return;
    const way = this.#passed?.way;
    this.#reaching = way ? way.reachCarrier(this) : this.#line.back.reach(this);
  }

  onUnreachable(code: string, status = 503): void {
    if (!this.#isOver()) this.#refuse(refusal(status, code));
  }

  onCarrier(carrier: Http2Carrier): void {
    const head = this.#passed?.head;
    if (!head || this.#isOver()) return;
    const stream = carrier.request(head, this.#isWhole);
    if (!stream) {
      this.#refuse(refusal(500, "http_head_refused"));
      return;
    }
    this.#tries?.tryBegun();
    this.#try = new Http2Try(carrier, stream, this);
    if (this.#isWhole) this.#front.resume();
    else this.#body.sendTo(stream);
  }

  /** RFC 9110 15.2: "A proxy MUST forward 1xx responses". */
  onInform(lines: FieldLines): void {
    const front = this.#front;
    if (front.headersSent || this.#isOver()) return;
    this.#informational += 1;
    const informed = responseOf(lines);
    if (informed.status === 101 || this.#informational > MAX_INFORMATIONAL) {
      this.#appFailed("app_protocol_error");
    } else front.additionalHeaders(informed.asObject());
  }

  onResponse(lines: FieldLines, isLast: boolean): void {
    const front = this.#front;
    const tried = this.#try;
    if (front.headersSent || this.#isOver() || !tried) return;
    const came = responseOf(lines);
    if (this.#again(failureOf(came, this.#isGrpc && isLast))) return;
    this.#body.forget();
    const response = changedResponse(came, this.#passed);
    const { status, hasNoContent, fields } = response;
    const { stream: back, trailers } = tried;
    // To HEAD the writable half has ended from the start.
    const isEmpty = isLast || hasNoContent || !front.writable;
    this.#status = status;
    this.#answerTrailers = trailers;
    front.respond(fields, respondOptions(isEmpty));
    if (isEmpty) {
      back.resume();
      return;
    }
    copyBody({
      from: back,
      to: front,
      trailers,
      count: (bytes) => {
        this.#responseBytes += bytes;
      },
    });
  }

  /** The application need not have read all of the request. */
  onWhole(): void {
    if (this.#isOver()) return;
    if (!this.#isWhole && !this.#front.readableEnded) endRequest(this.#front);
  }

  onBroken(how: BrokenStream, code: number): void {
    if (this.#isOver() || this.#again({ kind: how })) return;
    // What it refused the caller may try again by itself.
    const isLost =
      how === "lost" || (how === "refused" && code !== constants.NGHTTP2_REFUSED_STREAM);
    if (isLost) this.#appFailed(this.#passed?.way ? "upstream_reset" : "app_connection_lost");
    else {
      this.#code ||= "app_reset";
      this.#front.close(resetToCaller(code));
    }
  }

  get moved(): number {
    return this.#body.octets + this.#responseBytes + this.#status;
  }

  onLate(of: Late): void {
    if (this.#isOver() || (of === "try" && this.#again({ kind: "late" }))) return;
    const late = { ...refusal(504, lateCode(of)), grpcStatus: DEADLINE_EXCEEDED };
    this.#endHere(late, constants.NGHTTP2_CANCEL);
  }

  /** True: it is sent once more, and nothing is heard of this try any more. */
  #again(failure: TryFailure | undefined): boolean {
    if (!failure || this.#front.headersSent || !this.#body.mayRepeat) return false;
    if (!this.#tries?.again(failure, () => this.#reach())) return false;
    (this.#try ?? this.#reaching)?.drop();
    this.#try = undefined;
    if (!this.#isWhole) this.#body.hold();
    return true;
  }

  /** As long as there was no answer there can be one from here. */
  #appFailed(reason: string): void {
    const front = this.#front;
    if (front.headersSent) {
      this.#code ||= reason;
      front.close(constants.NGHTTP2_INTERNAL_ERROR);
    } else this.#refuse(refusal(503, reason));
    this.#cancelBack();
  }

  #forbid(): void {
    if (this.#isOver()) return;
    const forbidden = { ...refusal(403, "policy_changed"), body: "RBAC: access denied" };
    this.#endHere(forbidden, resetToForbid(this.#isGrpc));
  }

  #endHere(refused: Refusal, reset: number): void {
    if (this.#front.headersSent) this.#endBegun(refused, reset);
    else this.#refuse(refused);
    this.#cancelBack();
  }

  /** gRPC has its status at the end too, where the caller has taken all that came before it. */
  #endBegun(refused: Refusal, reset: number): void {
    const front = this.#front;
    this.#code ||= refused.reason;
    this.#isAnsweredHere = true;
    if (this.#isGrpc && front.writable && front.writableLength === 0) {
      this.#answerTrailers?.replace(grpcTrailers(refused));
      front.end();
      endRequest(front);
    } else front.close(reset);
  }

  #refuse(refused: Refusal): void {
    this.#code ||= refused.reason;
    if (this.#isFrontOver() || this.#front.headersSent) return;
    this.#isAnsweredHere = true;
    const fields = [...refused.fields, ...(this.#passed?.fields ?? [])];
    this.#status = refuseStream(this.#front, { ...refused, fields }, this.#isGrpc);
  }

  #cancelBack(): void {
    this.#reaching?.drop();
    this.#try?.cancel();
  }

  #frontClosed(): void {
    const { rstCode } = this.#front;
    const isWhole = rstCode === constants.NGHTTP2_NO_ERROR && this.#front.headersSent;
    if (!isWhole) this.#code ||= "caller_reset";
    this.#cancelBack();
    this.#finish();
  }

  /** Nothing of the application's goes on to the caller any more, and nothing to the application. */
  #isOver(): boolean {
    return this.#isAnsweredHere || this.#isFrontOver();
  }

  #isFrontOver(): boolean {
    return this.#front.closed || this.#front.destroyed;
  }

  /** Once: what closes later has nothing left to call. */
  #finish(): void {
    const passed = this.#passed;
    this.#release?.();
    this.#release = undefined;
    this.#passed = undefined;
    this.#tries?.end();
    passed?.done(this.#outcome());
  }

  #outcome(): ExchangeOutcome {
    return {
      code: this.#code,
      status: this.#status,
      requestBytes: this.#body.octets,
      responseBytes: this.#responseBytes,
      durationMs: performance.now() - this.#sinceMs,
    };
  }
}

function ignore(): void {}
