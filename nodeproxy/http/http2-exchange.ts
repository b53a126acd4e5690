/**
 * One request over HTTP/2, from its head to the end of both directions: judged first, then carried to the
 * application, body by body, or answered here.
 *
 *   caller ── front ══ back ── application     RST_STREAM each way, with the code that says the same there
 *
 * Until the judge has answered nothing of the body is read: the window holds it. One exchange's failure stays its own.
 */
import {
  type ClientHttp2Session,
  type ClientHttp2Stream,
  constants,
  type ServerHttp2Stream,
} from "node:http2";
import { isGrpc } from "./grpc-status.ts";
import type { Http2Back } from "./http2-back.ts";
import { copyBody, Trailers } from "./http2-body.ts";
import { linesOf, parseHttp2Head } from "./http2-head.ts";
import { endRequest, grpcTrailers, type Refusal, refuseStream } from "./http2-refusal.ts";
import { resetToCaller, resetToForbid } from "./http2-reset.ts";
import { responseOf } from "./http2-response.ts";
import { respondOptions } from "./http2-settings.ts";
import type { ExchangeOutcome, FieldLines, Gate, GateAnswer, RequestHead } from "./message.ts";

export interface ExchangeLine {
  readonly gate: Gate;
  readonly back: Http2Back;
  readonly maxFields: number;
  /** Refused here, not by the gate. */
  refused(reason: string, head?: RequestHead): void;
}

type Passed = Extract<GateAnswer, { readonly kind: "pass" }>;

/** Of 1xx, which an application may send as many as it likes. */
const MAX_INFORMATIONAL = 32;

export class Http2Exchange {
  readonly #front: ServerHttp2Stream;
  readonly #line: ExchangeLine;
  readonly #sinceMs = performance.now();
  readonly #trailers: Trailers;
  #answerTrailers: Trailers | undefined;
  readonly #isWhole: boolean;
  #back: ClientHttp2Stream | undefined;
  #passed: Passed | undefined;
  #release: (() => void) | undefined;
  #isGrpc = false;
  #informational = 0;
  #hasBackEnded = false;
  /** What the caller hears at the end is ours. */
  #isAnsweredHere = false;
  #status = 0;
  #requestBytes = 0;
  #responseBytes = 0;
  /** Why it did not end in order: whatever was first. */
  #code = "";

  /** `isWhole`: no body follows. */
  constructor(front: ServerHttp2Stream, line: ExchangeLine, isWhole: boolean) {
    this.#front = front;
    this.#line = line;
    this.#isWhole = isWhole;
    this.#trailers = new Trailers(front);
    front.on("error", ignore);
    front.once("close", () => this.#frontClosed());
  }

  begin(lines: FieldLines): void {
    const parsed = parseHttp2Head(lines, this.#line.maxFields);
    this.#isGrpc = isGrpc(lines);
    if (parsed.kind === "refuse") {
      this.#line.refused(parsed.fault, undefined);
      this.#refuse(refusal(parsed.status, parsed.fault));
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
    if (this.#isOver()) return;
    const session = this.#line.back.session();
    if ("then" in session) void this.#carryLate(session);
    else this.#carry(session, answer.head);
  }

  async #carryLate(opening: Promise<ClientHttp2Session | undefined>): Promise<void> {
    const session = await opening;
    if (this.#isOver() || !this.#passed) return;
    if (session) this.#carry(session, this.#passed.head);
    else this.#refuse(refusal(503, "app_unreachable"));
  }

  #carry(session: ClientHttp2Session, head: RequestHead): void {
    const isWhole = this.#isWhole;
    const back = requestOf(session, head, isWhole);
    if (!back) {
      this.#refuse(refusal(500, "http_head_refused"));
      return;
    }
    this.#back = back;
    this.#answerTrailers = new Trailers(back);
    back.on("error", ignore);
    back.on("headers", (_fields: unknown, _flags: number, lines: FieldLines = []) => {
      this.#inform(lines);
    });
    back.once("response", (_fields: unknown, flags: number, lines: FieldLines = []) => {
      this.#respond(lines, (flags & constants.NGHTTP2_FLAG_END_STREAM) !== 0);
    });
    back.once("end", () => {
      this.#hasBackEnded = back.rstCode === constants.NGHTTP2_NO_ERROR;
    });
    back.once("close", () => this.#backClosed(session));
    if (isWhole) this.#front.resume();
    else this.#copyRequest(back);
  }

  #copyRequest(back: ClientHttp2Stream): void {
    copyBody({
      from: this.#front,
      to: back,
      trailers: this.#trailers,
      isRequest: true,
      count: (bytes) => {
        this.#requestBytes += bytes;
      },
    });
  }

  /** RFC 9110 15.2: "A proxy MUST forward 1xx responses". */
  #inform(lines: FieldLines): void {
    const front = this.#front;
    if (front.headersSent || this.#isOver()) return;
    this.#informational += 1;
    const informed = responseOf(lines);
    if (informed.status === 101 || this.#informational > MAX_INFORMATIONAL) {
      this.#appFailed("app_protocol_error");
    } else front.additionalHeaders(informed.asObject());
  }

  #respond(lines: FieldLines, isLast: boolean): void {
    const front = this.#front;
    const back = this.#back;
    const trailers = this.#answerTrailers;
    if (front.headersSent || this.#isOver() || !back || !trailers) return;
    const { status, hasNoContent, fields } = responseOf(lines);
    // To HEAD the writable half has ended from the start.
    const isEmpty = isLast || hasNoContent || !front.writable;
    this.#status = status;
    front.respond(fields, respondOptions(isEmpty));
    if (isEmpty) {
      back.resume();
      return;
    }
    copyBody({
      from: back,
      to: front,
      trailers,
      isRequest: false,
      count: (bytes) => {
        this.#responseBytes += bytes;
      },
    });
  }

  #backClosed(session: ClientHttp2Session): void {
    const code = this.#back?.rstCode ?? constants.NGHTTP2_NO_ERROR;
    if (this.#isOver()) return;
    if (this.#hasBackEnded) {
      // The answer is whole; the application need not have read all of the request.
      if (!this.#isWhole && !this.#front.readableEnded) endRequest(this.#front);
      return;
    }
    const isLost = session.destroyed && code !== constants.NGHTTP2_REFUSED_STREAM;
    if (isLost) this.#appFailed("app_connection_lost");
    else {
      this.#code ||= "app_reset";
      this.#front.close(resetToCaller(code));
    }
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
    if (this.#front.headersSent) this.#endForbidden(forbidden);
    else this.#refuse(forbidden);
    this.#cancelBack();
  }

  /** gRPC has its status at the end too, where the caller has taken all that came before it. */
  #endForbidden(forbidden: Refusal): void {
    const front = this.#front;
    this.#code ||= forbidden.reason;
    this.#isAnsweredHere = true;
    if (this.#isGrpc && front.writable && front.writableLength === 0) {
      this.#answerTrailers?.replace(grpcTrailers(forbidden));
      front.end();
      endRequest(front);
    } else front.close(resetToForbid(this.#isGrpc));
  }

  #refuse(refused: Refusal): void {
    this.#code ||= refused.reason;
    if (this.#isFrontOver() || this.#front.headersSent) return;
    this.#isAnsweredHere = true;
    this.#status = refuseStream(this.#front, refused, this.#isGrpc);
  }

  #cancelBack(): void {
    const back = this.#back;
    if (!back || back.closed) return;
    if (this.#hasBackEnded && back.writableFinished) return;
    back.close(constants.NGHTTP2_CANCEL);
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
    passed?.done(this.#outcome());
  }

  #outcome(): ExchangeOutcome {
    return {
      code: this.#code,
      status: this.#status,
      requestBytes: this.#requestBytes,
      responseBytes: this.#responseBytes,
      durationMs: performance.now() - this.#sinceMs,
    };
  }
}

/** Nothing where the gate has put something into the head that HTTP/2 cannot say. */
function requestOf(
  session: ClientHttp2Session,
  head: RequestHead,
  isWhole: boolean,
): ClientHttp2Stream | undefined {
  try {
    return session.request(linesOf(head), { endStream: isWhole, waitForTrailers: !isWhole });
  } catch {
    return undefined;
  }
}

function refusal(status: number, reason: string): Refusal {
  return { status, reason, body: reason, fields: [] };
}

function ignore(): void {}
