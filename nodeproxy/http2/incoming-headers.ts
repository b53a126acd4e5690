/**
 * What a whole header block means: a request that opens a stream, its answer, or trailers (RFC 9113 8.1, 8.5).
 *
 * Also the one place that resets a stream for a fault of the peer's, and counts how often that is.
 */
import type { FloodGuard } from "./flood-guard.ts";
import type { FramedStream } from "./framed-stream.ts";
import type { HeaderBlock } from "./header-block.ts";
import { type HeaderList, HpackDecoder, type ListLimits } from "./hpack-decoder.ts";
import { protocolError } from "./http2-error.ts";
import type { Outgoing } from "./outgoing.ts";
import { CODE } from "./protocol.ts";
import { areTrailers, type RequestFields, readAnswer, readRequest } from "./request-fields.ts";
import type { StreamTable } from "./stream-table.ts";

export interface RequestMessage {
  readonly request: RequestFields;
  /** All of them, pseudo-header fields too, as they came. */
  readonly fields: readonly string[];
  /** Names of fields that no table may hold. */
  readonly secret: readonly string[] | undefined;
  /** No content follows. */
  readonly isLast: boolean;
}

export interface HeadersLine<S extends FramedStream> {
  readonly streams: StreamTable<S>;
  readonly out: Pick<Outgoing, "reset" | "windowUpdate">;
  /** Server: not malformed by what else the owner knows. */
  isGood?(request: RequestFields, fields: readonly string[]): boolean;
  /** Server: opens the stream. None where no more are taken: it is to be refused. */
  onRequest(id: number, message: RequestMessage): S | undefined;
  /** Server: a request that HTTP/2 does not let be one. */
  onMalformed?(): void;
}

export class IncomingHeaders<S extends FramedStream> {
  readonly #line: HeadersLine<S>;
  readonly #guard: FloodGuard;
  readonly #isServer: boolean;
  readonly #decoder: HpackDecoder;

  constructor(
    line: HeadersLine<S>,
    guard: FloodGuard,
    { isServer, lists }: { readonly isServer: boolean; readonly lists: ListLimits },
  ) {
    this.#line = line;
    this.#guard = guard;
    this.#isServer = isServer;
    this.#decoder = new HpackDecoder(lists);
  }

  onBlock(block: HeaderBlock): void {
    const { stream: id, isLast } = block;
    const { streams } = this.#line;
    // Every block is read, whatever it is for: the table of later ones depends on it. RFC 9113 4.3.
    const { fields, secret, isTooLarge } = this.#decoder.decode(block.bytes);
    const stream = streams.get(id);
    if (stream) this.#onOpen(stream, { fields, secret, isLast, isTooLarge });
    else if (this.#isServer && id % 2 === 1 && id > streams.last) {
      streams.begin(id);
      const isBad = isTooLarge ? CODE.enhanceYourCalm : CODE.protocolError;
      const request = isTooLarge || block.dependsOnItself ? undefined : readRequest(fields);
      const message = request && { request, fields, secret, isLast };
      if (message && this.#isGood(message)) this.#open(id, message);
      else this.#malformed(id, isBad);
    } else this.#onClosed(id);
  }

  /** END_STREAM of the peer, in DATA or HEADERS. */
  streamEnded(stream: S): void {
    // RFC 9113 8.1.1: content of another length than announced is malformed.
    if ((stream.contentLeft ?? 0) === 0) stream.farEnded();
    else this.streamError(stream.id, CODE.protocolError);
  }

  /** Throws `Http2Error` where there are too many. */
  streamError(id: number, code: number): void {
    this.#guard.count("stream errors");
    const stream = this.#line.streams.get(id);
    if (stream) {
      stream.reset(code);
      return;
    }
    this.#line.out.reset(id, code);
    this.#line.streams.refused(id);
  }

  /** RFC 9113 8.1.1: what announces content that cannot come is malformed too, and nobody is to see it. */
  #isGood({ request, fields, isLast }: RequestMessage): boolean {
    if (isLast && (request.contentLength ?? 0) > 0) return false;
    return this.#line.isGood?.(request, fields) ?? true;
  }

  #open(id: number, message: RequestMessage): void {
    const stream = this.#line.onRequest(id, message);
    if (!stream) {
      this.#guard.count("streams refused");
      this.#line.out.reset(id, CODE.refusedStream);
      this.#line.streams.refused(id);
      return;
    }
    const { request, isLast } = message;
    stream.contentLeft = request.contentLength;
    if (isLast && !stream.destroyed) this.streamEnded(stream);
  }

  #malformed(id: number, code: number): void {
    this.#line.onMalformed?.();
    this.streamError(id, code);
  }

  #onOpen(stream: S, list: HeaderList & { readonly isLast: boolean }): void {
    const { fields, isLast, isTooLarge } = list;
    if (stream.hasFarEnded) this.streamError(stream.id, CODE.streamClosed);
    else if (isTooLarge) this.streamError(stream.id, CODE.enhanceYourCalm);
    else if (this.#isServer || stream.isAnswered) this.#onTrailers(stream, fields, isLast);
    else this.#onAnswer(stream, list);
  }

  /** RFC 9113 8.1: they end the stream. */
  #onTrailers(stream: S, fields: readonly string[], isLast: boolean): void {
    if (!isLast || !areTrailers(fields)) {
      this.streamError(stream.id, CODE.protocolError);
      return;
    }
    stream.trailed?.(fields);
    this.streamEnded(stream);
  }

  #onAnswer(
    stream: S,
    { fields, secret, isLast }: HeaderList & { readonly isLast: boolean },
  ): void {
    const answer = readAnswer(fields);
    if (!answer || (answer.status < 200 && isLast)) {
      this.streamError(stream.id, CODE.protocolError);
      return;
    }
    const { status, contentLength } = answer;
    // RFC 9110 15.2: another follows.
    if (status < 200) {
      this.#guard.count("frames that mean nothing");
      stream.informed?.(fields);
      return;
    }
    stream.answered(status, { fields, secret, contentLength, isLast });
    if (isLast && !stream.destroyed) this.streamEnded(stream);
  }

  #onClosed(id: number): void {
    const ending = this.#line.streams.endingOf(id);
    if (ending === "reset by us") return;
    if (ending === "ended") throw protocolError("HEADERS on a closed stream", CODE.streamClosed);
    // RFC 9113 5.1.1: "greater than all streams that the initiating endpoint has opened", and odd.
    throw protocolError(`HEADERS on stream ${id}`);
  }
}
