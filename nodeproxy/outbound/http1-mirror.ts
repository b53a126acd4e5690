/** One copy of a request over HTTP/1, to the end of an answer that is thrown away. */
import { HTTP_LIMITS, type HttpLimits } from "../http/http-limits.ts";
import type { Back, BackUser, Reaching } from "../http/http1-back.ts";
import { BodyFlow } from "../http/http1-body-flow.ts";
import { CHUNKED, type Framing, NO_BODY } from "../http/http1-framing.ts";
import { requestText } from "../http/http1-head-text.ts";
import type { Response } from "../http/http1-response.ts";
import { ResponseReader } from "../http/http1-response-reader.ts";
import type { RequestHead } from "../http/message.ts";
import { ANSWER_OCTETS, type MirrorCopy, octetsOf, TIMEOUT_MS } from "./mirror-copy.ts";
import { OutboundRequest, type RequestCaller, type SentRequest } from "./outbound-request.ts";

const LIMITS: HttpLimits = { ...HTTP_LIMITS, headTimeoutMs: TIMEOUT_MS };

export class Http1Mirror implements BackUser {
  readonly #way: OutboundRequest;
  readonly #head: RequestHead;
  readonly #copy: MirrorCopy;
  readonly #octets: number;
  readonly #sinceMs = performance.now();
  readonly #heads: ResponseReader;
  readonly #timer: NodeJS.Timeout;
  #reaching: Reaching | undefined;
  #back: Back | undefined;
  #reply: Response | undefined;
  #answer: BodyFlow | undefined;
  #isDirty = false;
  #isOver = false;

  constructor(caller: RequestCaller, sent: SentRequest, copy: MirrorCopy) {
    this.#way = new OutboundRequest(caller, sent.head, sent);
    this.#head = sent.head;
    this.#copy = copy;
    this.#octets = octetsOf(copy);
    this.#heads = new ResponseReader(sent.head, LIMITS);
    const timeoutMs = this.#way.requestTimeoutMs || TIMEOUT_MS;
    this.#timer = setTimeout(() => this.#fail("request_timeout"), timeoutMs).unref();
  }

  begin(): void {
    this.#reaching = this.#way.reach(this);
  }

  onReady(back: Back): void {
    const { line } = back;
    if (this.#isOver || !line) return;
    this.#back = back;
    line.put(requestText(this.#head, framingFor(this.#head.method, this.#octets)));
    for (const piece of this.#copy.body) line.put(piece);
    line.flush();
  }

  onUnreachable(code: string): void {
    this.#fail(code);
  }

  onBytes(chunk: Buffer): number {
    if (this.#isOver) return chunk.length;
    const answer = this.#answer;
    if (!answer) return this.#takeHeadBytes(chunk);
    const taken = answer.take(chunk);
    if (answer.hasFailed) this.#fail("upstream_response_invalid");
    else if (answer.octets > ANSWER_OCTETS) this.#giveUp();
    else if (taken > 0) return taken;
    this.#isDirty = true;
    return chunk.length;
  }

  onTurnEnd(): void {
    if (!this.#isOver && this.#answer?.isDone) this.#complete();
  }

  onFarEnd(): void {
    if (this.#isOver) return;
    if (this.#answer?.endWithConnection()) this.#complete();
    else this.#fail("upstream_reset");
  }

  /** Nothing is held up by what it writes. */
  onRoom(): void {}

  onGone(): void {
    this.#fail("upstream_reset");
  }

  #takeHeadBytes(chunk: Buffer): number {
    const taken = this.#heads.read(chunk);
    const response = this.#heads.take();
    if (response === "invalid") this.#fail("upstream_response_invalid");
    else if (response && response.head.status >= 200) {
      this.#reply = response;
      // To nobody.
      const route = { from: response.framing, to: CHUNKED, line: undefined };
      this.#answer = new BodyFlow(route, LIMITS);
    }
    return this.#isOver ? chunk.length : taken;
  }

  #complete(): void {
    this.#end("");
    this.#back?.finish(this.#isDirty ? undefined : this.#reply);
  }

  /** It was sent and answered: more of the answer is not worth reading. */
  #giveUp(): void {
    const back = this.#back;
    this.#end("");
    back?.drop();
  }

  #fail(code: string): void {
    if (this.#isOver) return;
    (this.#back ?? this.#reaching)?.drop();
    this.#end(code);
  }

  #end(code: string): void {
    this.#isOver = true;
    clearTimeout(this.#timer);
    this.#heads.release();
    this.#answer?.release();
    this.#copy.lease.end();
    this.#way.done({
      code,
      status: this.#reply?.head.status ?? 0,
      requestBytes: this.#back ? this.#octets : 0,
      responseBytes: this.#answer?.octets ?? 0,
      durationMs: performance.now() - this.#sinceMs,
    });
  }
}

/** RFC 9110 8.6: an empty body is told of where the method means one. Trailers have no copy. */
function framingFor(method: string, octets: number): Framing {
  const isMeant = octets > 0 || method === "POST" || method === "PUT" || method === "PATCH";
  return isMeant ? { kind: "length", octets } : NO_BODY;
}
