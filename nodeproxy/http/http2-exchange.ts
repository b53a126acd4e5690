/**
 * One request over HTTP/2, from its head to the end of both directions: judged first, then carried to the
 * application, body by body, or answered here.
 *
 *   caller ── front ══ back ── application     RST_STREAM each way, with the code that says the same there
 *
 * Until the judge has answered nothing of the body is read: the window holds it. One exchange's failure stays its own.
 */
import type { AnswerMessage } from "../http2/framed-stream.ts";
import type { RequestMessage } from "../http2/incoming-headers.ts";
import { CODE } from "../http2/protocol.ts";
import { isGrpc } from "./grpc-status.ts";
import { grpcTimeoutOf, shorterTimeout } from "./grpc-timeout.ts";
import type { Reaching } from "./http1-back.ts";
import { Http1Try, type Http1TryHearer } from "./http1-try.ts";
import { Http2Answer } from "./http2-answer.ts";
import type { Http2Back } from "./http2-back.ts";
import type { BrokenStream, CarrierUser, Http2Carrier } from "./http2-carrier.ts";
import { parseHttp2Head } from "./http2-head.ts";
import { type Refusal, refusal } from "./http2-refusal.ts";
import { type BodySink, Http2RequestBody } from "./http2-request-body.ts";
import { resetToCaller, resetToForbid } from "./http2-reset.ts";
import { changedResponse, responseOf } from "./http2-response.ts";
import { failureOf, Http2Try } from "./http2-try.ts";
import type { ExchangeOutcome, FieldLines, Gate, GateAnswer, RefusedUnread } from "./message.ts";
import type { MessageStream, StreamHearer } from "./message-stream.ts";
import { type Late, lateCode, RequestTries, type Trying } from "./request-tries.ts";
import type { RequestWay, TryFailure } from "./request-way.ts";

export interface ExchangeLine {
  readonly gate: Gate;
  readonly back: Http2Back;
  readonly maxFields: number;
  readonly refused: RefusedUnread;
}

type Passed = Extract<GateAnswer, { readonly kind: "pass" }>;

/** Of gRPC. */
const DEADLINE_EXCEEDED = 4;

export class Http2Exchange implements StreamHearer, CarrierUser, Http1TryHearer, Trying {
  readonly #front: MessageStream;
  readonly #line: ExchangeLine;
  readonly #sinceMs = performance.now();
  readonly #body: Http2RequestBody;
  readonly #answer: Http2Answer;
  readonly #message: RequestMessage;
  readonly #isGrpc: boolean;
  #tries: RequestTries | undefined;
  #reaching: Reaching | undefined;
  #try: Http2Try | Http1Try | undefined;
  #passed: Passed | undefined;
  #release: (() => void) | undefined;
  /** Why it did not end in order: whatever was first. */
  #code = "";

  constructor(front: MessageStream, line: ExchangeLine, message: RequestMessage) {
    this.#front = front;
    this.#line = line;
    this.#message = message;
    this.#isGrpc = isGrpc(message.fields);
    this.#body = new Http2RequestBody(front);
    const isToHead = message.request.method === "HEAD";
    this.#answer = new Http2Answer(front, { isGrpc: this.#isGrpc, isToHead });
    front.hearBy(this);
  }

  begin(): void {
    const parsed = parseHttp2Head(this.#message.fields, this.#line.maxFields);
    if (parsed.kind === "refuse") {
      this.#refuse(refusal(parsed.status, parsed.fault));
      this.#line.refused(parsed.fault, this.#answer.status);
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
    if (this.#front.destroyed) {
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
    const { onWhole } = way;
    const { secret } = this.#message;
    this.#body.keep(way.keptOctets, onWhole && ((body) => onWhole(body, secret)));
  }

  #reach(): void {
    if (this.#answer.isOver) return;
    const { way, head } = this.#passed ?? {};
    if (way?.version === "http1" && head) {
      this.#try = new Http1Try(this, head, this.#message.isLast);
      this.#try.begin(way);
    } else this.#reaching = way ? way.reachCarrier(this) : this.#line.back.reach(this);
  }

  onUnreachable(code: string, status = 503): void {
    if (!this.#answer.isOver) this.#refuse(refusal(status, code));
  }

  onCarrier(carrier: Http2Carrier): void {
    const head = this.#passed?.head;
    if (!head || this.#answer.isOver) return;
    const { isLast: isWhole, secret } = this.#message;
    const tried = new Http2Try(carrier, this);
    const stream = tried.begin({ head, isWhole, secret });
    if (!stream) {
      this.#refuse(refusal(500, "http_head_refused"));
      return;
    }
    this.#try = tried;
    this.#begun(stream);
  }

  onBegun(tried: Http1Try): void {
    this.#begun(tried);
  }

  onUnsayable(): void {
    this.#refuse(refusal(500, "request_head_invalid"));
  }

  onMalformed(): void {
    this.#appFailed("upstream_response_invalid", 502);
  }

  #begun(to: BodySink): void {
    this.#tries?.tryBegun();
    if (this.#message.isLast) this.#front.resume();
    else this.#body.sendTo(to);
  }

  onData(chunk: Buffer): void {
    if (!this.#answer.throwAway(chunk.length)) this.#body.take(chunk);
  }

  onEnd(trailers: FieldLines): void {
    this.#body.end(trailers);
  }

  onSent(octets: number): void {
    this.#try?.took(octets);
    this.#answer.sent();
  }

  onClose(): void {
    if (!this.#answer.over()) this.#code ||= "caller_reset";
    this.#cancelBack();
    this.#finish();
  }

  onInform(lines: FieldLines): void {
    if (this.#answer.hasBegun || this.#answer.isOver) return;
    if (!this.#answer.inform(lines)) this.#appFailed("app_protocol_error");
  }

  onResponse({ fields, isLast, secret }: AnswerMessage): void {
    if (this.#answer.hasBegun || this.#answer.isOver) return;
    const came = responseOf(fields);
    if (this.#again(failureOf(came, this.#isGrpc && isLast))) return;
    this.#body.forget();
    const response = changedResponse(came, this.#passed);
    this.#answer.begin({ response, isLast, secret });
  }

  onBody(chunk: Buffer): void {
    if (!this.#answer.write(chunk)) this.#try?.took(chunk.length);
  }

  onBodyEnd(trailers: FieldLines): void {
    this.#answer.end(trailers);
  }

  onRequestSent(octets: number): void {
    this.#body.sent(octets);
  }

  /** The application need not have read all of the request. */
  onWhole(): void {
    if (!this.#answer.isOver) this.#linger();
  }

  onBroken(how: BrokenStream, code: number): void {
    if (this.#answer.isOver || this.#again({ kind: how })) return;
    // What it refused the caller may try again by itself.
    const isLost = how === "lost" || (how === "refused" && code !== CODE.refusedStream);
    if (isLost) this.#appFailed(this.#passed?.way ? "upstream_reset" : "app_connection_lost");
    else {
      this.#code ||= "app_reset";
      this.#front.reset(resetToCaller(code));
    }
  }

  get moved(): number {
    return this.#body.octets + this.#answer.octets + this.#answer.status;
  }

  onLate(of: Late): void {
    if (this.#answer.isOver || (of === "try" && this.#again({ kind: "late" }))) return;
    const late = { ...refusal(504, lateCode(of)), grpcStatus: DEADLINE_EXCEEDED };
    this.#endHere(late, CODE.cancel);
  }

  /** True: it is sent once more, and nothing is heard of this try any more. */
  #again(failure: TryFailure | undefined): boolean {
    if (!failure || this.#answer.hasBegun || !this.#body.mayRepeat) return false;
    if (!this.#tries?.again(failure, () => this.#reach())) return false;
    (this.#try ?? this.#reaching)?.drop();
    this.#try = undefined;
    if (!this.#message.isLast) this.#body.hold();
    return true;
  }

  /** As long as there was no answer there can be one from here. */
  #appFailed(reason: string, status = 503): void {
    if (this.#answer.hasBegun) {
      this.#code ||= reason;
      this.#front.reset(CODE.internalError);
    } else this.#refuse(refusal(status, reason));
    this.#cancelBack();
  }

  #forbid(): void {
    if (this.#answer.isOver) return;
    const forbidden = { ...refusal(403, "policy_changed"), body: "RBAC: access denied" };
    this.#endHere(forbidden, resetToForbid(this.#isGrpc));
  }

  #endHere(refused: Refusal, reset: number): void {
    if (this.#answer.hasBegun) {
      this.#code ||= refused.reason;
      this.#body.leave();
      this.#answer.breakOff(refused, reset);
    } else this.#refuse(refused);
    this.#cancelBack();
  }

  #refuse(refused: Refusal): void {
    this.#code ||= refused.reason;
    this.#body.leave();
    const fields = [...refused.fields, ...(this.#passed?.fields ?? [])];
    this.#answer.refuse({ ...refused, fields });
  }

  #linger(): void {
    this.#body.leave();
    this.#answer.linger();
  }

  #cancelBack(): void {
    this.#reaching?.drop();
    this.#try?.cancel();
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
      status: this.#answer.status,
      requestBytes: this.#body.octets,
      responseBytes: this.#answer.octets,
      durationMs: performance.now() - this.#sinceMs,
      ...(this.#isGrpc && { grpcStatus: this.#answer.grpcStatus }),
    };
  }
}
