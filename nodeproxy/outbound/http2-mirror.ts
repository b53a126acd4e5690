/** One copy of a request over HTTP/2, to the end of an answer that is thrown away. */
import { grpcStatusIn } from "../http/grpc-status.ts";
import type { Reaching } from "../http/http1-back.ts";
import type { CarrierUser, Http2Carrier } from "../http/http2-carrier.ts";
import { responseOf } from "../http/http2-response.ts";
import { Http2Try, type TryHearer } from "../http/http2-try.ts";
import type { FieldLines, RequestHead } from "../http/message.ts";
import { ANSWER_OCTETS, type MirrorCopy, octetsOf, TIMEOUT_MS } from "./mirror-copy.ts";
import { OutboundRequest, type RequestCaller, type SentRequest } from "./outbound-request.ts";

type Answered = Parameters<TryHearer["onResponse"]>[0];

export class Http2Mirror implements CarrierUser, TryHearer {
  readonly #way: OutboundRequest;
  readonly #head: RequestHead;
  readonly #copy: MirrorCopy;
  readonly #octets: number;
  readonly #sinceMs = performance.now();
  readonly #timer: NodeJS.Timeout;
  #reaching: Reaching | undefined;
  #try: Http2Try | undefined;
  #status = 0;
  #grpcStatus: number | undefined;
  #answerOctets = 0;
  #isOver = false;

  constructor(caller: RequestCaller, sent: SentRequest, copy: MirrorCopy) {
    this.#way = new OutboundRequest(caller, sent.head, sent);
    this.#head = sent.head;
    this.#copy = copy;
    this.#octets = octetsOf(copy);
    const timeoutMs = this.#way.requestTimeoutMs || TIMEOUT_MS;
    this.#timer = setTimeout(() => this.#end("request_timeout"), timeoutMs).unref();
  }

  begin(): void {
    this.#reaching = this.#way.reachCarrier(this);
  }

  onUnreachable(code: string): void {
    this.#end(code);
  }

  onCarrier(carrier: Http2Carrier): void {
    if (this.#isOver) return;
    const { body, secret } = this.#copy;
    const tried = new Http2Try(carrier, this);
    const stream = tried.begin({ head: this.#head, secret, isWhole: this.#octets === 0 });
    if (!stream) {
      this.#end("http_head_refused");
      return;
    }
    this.#try = tried;
    for (const piece of body) stream.write(piece);
    // Trailers have no copy.
    if (this.#octets > 0) stream.end();
  }

  onInform(): void {}

  onResponse({ fields }: Answered): void {
    this.#status = responseOf(fields).status;
    this.#grpcStatus = grpcStatusIn(fields);
  }

  onBody(chunk: Buffer): void {
    this.#answerOctets += chunk.length;
    this.#try?.took(chunk.length);
    // It was sent and answered: more of the answer is not worth reading.
    if (this.#answerOctets > ANSWER_OCTETS) this.#end("");
  }

  onBodyEnd(trailers: FieldLines): void {
    this.#grpcStatus = grpcStatusIn(trailers) ?? this.#grpcStatus;
  }

  onRequestSent(): void {}

  onWhole(): void {
    this.#end("");
  }

  onBroken(): void {
    this.#end("upstream_reset");
  }

  #end(code: string): void {
    if (this.#isOver) return;
    this.#isOver = true;
    clearTimeout(this.#timer);
    this.#reaching?.drop();
    this.#try?.drop();
    this.#copy.lease.end();
    this.#way.done({
      code,
      status: this.#status,
      requestBytes: this.#try ? this.#octets : 0,
      responseBytes: this.#answerOctets,
      durationMs: performance.now() - this.#sinceMs,
      ...(this.#grpcStatus !== undefined && { grpcStatus: this.#grpcStatus }),
    });
  }
}
