/**
 * One try of a request that came over HTTP/2, to a server that speaks HTTP/1: its head as text, its body as fast as the
 * server takes it, and what comes back told as `http2-try.ts` tells it. RFC 9113 8.1 to 8.3, RFC 9112 6 and 7.
 */
import { CODE } from "../http2/protocol.ts";
import { isField } from "../http2/request-fields.ts";
import { HTTP_LIMITS } from "./http-limits.ts";
import type { Back, BackUser, Reaching } from "./http1-back.ts";
import { BodyFlow } from "./http1-body-flow.ts";
import {
  CHUNKED,
  type Framing,
  framingOfLength,
  isEmpty,
  NO_BODY,
  UNTIL_CLOSE,
} from "./http1-framing.ts";
import { isWritable, lastChunkText, requestText } from "./http1-head-text.ts";
import type { Response } from "./http1-response.ts";
import { ResponseReader } from "./http1-response-reader.ts";
import { fieldOf } from "./http2-head.ts";
import type { BodySink } from "./http2-request-body.ts";
import type { TryHearer } from "./http2-try.ts";
import type { FieldLines, RequestHead } from "./message.ts";
import type { RequestWay } from "./request-way.ts";

export interface Http1TryHearer extends TryHearer {
  /** The head is on its way, and the body may follow. */
  onBegun(tried: Http1Try): void;
  onUnreachable(code: string, status?: number): void;
  /** HTTP/1 cannot say the head. */
  onUnsayable(): void;
  /** What came is no answer. */
  onMalformed(): void;
}

/** Of the answer, read and not taken by the caller. */
const MAX_UNTAKEN = 128 << 10;

export class Http1Try implements BackUser, BodySink {
  readonly #hearer: Http1TryHearer;
  readonly #head: RequestHead;
  readonly #framing: Framing;
  readonly #heads: ResponseReader;
  #reaching: Reaching | undefined;
  #back: Back | undefined;
  #reply: Response | undefined;
  #answer: BodyFlow | undefined;
  #isSent: boolean;
  /** Of the request, written and not on its way. */
  #unsent = 0;
  #untaken = 0;
  #isDirty = false;
  #isOver = false;

  constructor(hearer: Http1TryHearer, head: RequestHead, isWhole: boolean) {
    this.#hearer = hearer;
    this.#head = head;
    this.#framing = framingOf(head, isWhole);
    this.#isSent = isWhole;
    this.#heads = new ResponseReader(head, HTTP_LIMITS);
  }

  begin(way: RequestWay): void {
    this.#reaching = way.reach(this);
  }

  get isWritable(): boolean {
    return !this.#isOver && !this.#isSent && this.#back !== undefined;
  }

  write(chunk: Buffer): void {
    const line = this.#back?.line;
    if (!line || !this.isWritable || chunk.length === 0) return;
    const isChunked = this.#framing.kind === "chunked";
    if (isChunked) line.put(`${chunk.length.toString(16)}\r\n`);
    line.put(chunk);
    if (isChunked) line.put("\r\n");
    line.flush();
    this.#unsent += chunk.length;
    if (!line.isFull) this.#told();
  }

  end(trailers: FieldLines = []): void {
    const line = this.#back?.line;
    if (!line || !this.isWritable) return;
    this.#isSent = true;
    if (this.#framing.kind === "chunked") line.put(lastChunkText(trailers));
    line.flush();
  }

  /** The caller has taken so many octets of the answer, or nobody ever will. */
  took(octets: number): void {
    this.#untaken -= octets;
    if (!this.#isOver && this.#untaken <= MAX_UNTAKEN) this.#back?.line?.resume();
  }

  /** Nobody waits for its answer any more, and nothing more is heard of it. */
  cancel(): void {
    if (this.#isOver) return;
    this.#end();
    (this.#back ?? this.#reaching)?.drop();
  }

  drop(): void {
    this.cancel();
  }

  onReady(back: Back): void {
    const { line } = back;
    if (this.#isOver || !line) return;
    this.#back = back;
    if (!isWritable(this.#head)) {
      this.cancel();
      this.#hearer.onUnsayable();
      return;
    }
    line.put(requestText(this.#head, this.#framing));
    line.flush();
    this.#hearer.onBegun(this);
  }

  onUnreachable(code: string, status?: number): void {
    if (this.#isOver) return;
    this.#end();
    this.#hearer.onUnreachable(code, status);
  }

  onBytes(chunk: Buffer): number {
    if (this.#isOver) return chunk.length;
    const answer = this.#answer;
    if (!answer) return this.#takeHeadBytes(chunk);
    const taken = answer.take(chunk);
    if (answer.hasFailed) this.#malformed();
    else if (taken > 0) return taken;
    // Behind a response comes nothing that anybody has asked for.
    this.#isDirty = true;
    return chunk.length;
  }

  onTurnEnd(): void {
    if (this.#isOver) return;
    if (this.#answer?.isDone) this.#complete(this.#answer);
    else if (this.#untaken > MAX_UNTAKEN) this.#back?.line?.hold();
  }

  onFarEnd(): void {
    if (this.#isOver) return;
    if (this.#answer?.endWithConnection()) this.#complete(this.#answer);
    else this.#lost();
  }

  onRoom(): void {
    if (!this.#isOver) this.#told();
  }

  onGone(): void {
    if (!this.#isOver) this.#lost();
  }

  #told(): void {
    const octets = this.#unsent;
    this.#unsent = 0;
    if (octets > 0) this.#hearer.onRequestSent(octets);
  }

  #takeHeadBytes(chunk: Buffer): number {
    const taken = this.#heads.read(chunk);
    const response = this.#heads.take();
    if (response === "invalid") this.#malformed();
    else if (response) this.#heard(response);
    return this.#isOver ? chunk.length : taken;
  }

  #heard(response: Response): void {
    const { head, framing } = response;
    const lines = linesOf(response);
    if (!lines) this.#malformed();
    else if (head.status < 200) this.#hearer.onInform(lines);
    else {
      this.#reply = response;
      const line = { put: (piece: string | Buffer) => this.#pass(piece) };
      this.#answer = new BodyFlow({ from: framing, to: UNTIL_CLOSE, line }, HTTP_LIMITS);
      const length = framing.kind === "length" ? framing.octets : undefined;
      const isLast = isEmpty(framing);
      this.#hearer.onResponse({ fields: lines, isLast, contentLength: length, secret: undefined });
    }
  }

  #pass(piece: string | Buffer): void {
    if (typeof piece === "string" || this.#isOver) return;
    this.#untaken += piece.length;
    this.#hearer.onBody(piece);
  }

  #complete({ trailers }: BodyFlow): void {
    this.#end();
    if (this.#isSent) this.#back?.finish(this.#isDirty ? undefined : this.#reply);
    else this.#back?.drop();
    if (this.#reply && !isEmpty(this.#reply.framing)) this.#hearer.onBodyEnd(trailers);
    this.#hearer.onWhole();
  }

  #malformed(): void {
    this.cancel();
    this.#hearer.onMalformed();
  }

  /** The server's connection is gone before its answer was whole. */
  #lost(): void {
    this.cancel();
    this.#hearer.onBroken("lost", CODE.cancel);
  }

  #end(): void {
    this.#isOver = true;
    this.#heads.release();
    this.#answer?.release();
  }
}

/** RFC 9110 8.6: an empty body is told of where the method means one. */
function framingOf({ method, fields }: RequestHead, isWhole: boolean): Framing {
  const isMeant = method === "POST" || method === "PUT" || method === "PATCH";
  if (isWhole) return isMeant ? { kind: "length", octets: 0 } : NO_BODY;
  const length = fieldOf(fields, "content-length");
  return (length === undefined ? undefined : framingOfLength(length)) ?? CHUNKED;
}

/** `undefined` where HTTP/2 cannot say one of its fields. */
function linesOf({ head: { status, fields } }: Response): FieldLines | undefined {
  const lines = [":status", `${status}`];
  for (let i = 0; i < fields.length; i += 2) {
    const name = fields[i] ?? "";
    const value = (fields[i + 1] ?? "").trim();
    // RFC 9110 8.6: none "in any response with a status code of 1xx (Informational) or 204 (No Content)".
    if (name === "content-length" && (status < 200 || status === 204)) continue;
    if (name === "te") continue;
    if (!isField(name, value)) return undefined;
    lines.push(name, value);
  }
  return lines;
}
