/**
 * One connection of a client that speaks HTTP/1.1 or 1.0: reads its requests, asks the gate about each, carries those
 * that pass to the pod and the answers back, one after another, in order.
 *
 * The next request waits unread until the one before has its response. Never sends a pod what nobody has judged.
 */
import type { Side } from "../flow/side.ts";
import type { HttpLimits } from "./http-limits.ts";
import { Back, type BackUser, type Reaching } from "./http1-back.ts";
import { badHead } from "./http1-bad-head.ts";
import { BodyFlow } from "./http1-body-flow.ts";
import { Exchange } from "./http1-exchange.ts";
import type { ExchangeHost } from "./http1-exchange-host.ts";
import { NO_BODY } from "./http1-framing.ts";
import { HeadReader } from "./http1-head-reader.ts";
import { bodilessText, isWritable, responseText } from "./http1-head-text.ts";
import { Line, type LineOwner } from "./http1-line.ts";
import type { Http1Options, HttpServing } from "./http1-options.ts";
import { ownResponse, type Refusal } from "./http1-own-response.ts";
import { type BadRequest, type Request, readRequest } from "./http1-request.ts";
import type { ExchangeOutcome, GateAnswer } from "./message.ts";

/** Of a refused request's body, that is thrown away so that the connection lives on. */
const MAX_DISCARDED_OCTETS = 64 << 10;
/** For the client to end its half, and to read what it was told, once we have ended ours. */
const LINGER_MS = 30_000;
/** Of what it still sends meanwhile. */
const MAX_LINGER_OCTETS = 16 << 20;

type Phase = "head" | "judging" | "exchange" | "discarding" | "closing" | "gone";

export class Http1Connection implements LineOwner, ExchangeHost, HttpServing {
  readonly front: Line;
  readonly #options: Http1Options;
  readonly #heads: HeadReader;
  #phase: Phase = "head";
  #timer: NodeJS.Timeout | undefined;
  #back: Back | undefined;
  #exchange: Exchange | undefined;
  /** While something is answered. */
  #asked: Request | undefined;
  #discarded: BodyFlow | undefined;
  #isDraining = false;
  #hasFarEnded = false;
  #lingered = 0;
  #bytesOfPast = 0;

  constructor(front: Side, options: Http1Options) {
    this.#options = options;
    this.#heads = new HeadReader("request", options.limits);
    this.front = new Line(front, this, options.lane);
  }

  get limits(): HttpLimits {
    return this.#options.limits;
  }

  get isLast(): boolean {
    return this.#isDraining || this.#hasFarEnded;
  }

  get bytes(): number {
    return this.front.bytes + this.#bytesOfPast + (this.#back?.bytes ?? 0);
  }

  start(): void {
    this.#awaitHead();
    this.front.start();
  }

  drain(): void {
    this.#isDraining = true;
    if (this.#phase === "head" && !this.#heads.isWithin) this.#close();
  }

  end(): void {
    this.#exchange?.cut();
    this.front.reset();
  }

  hearResets(): void {
    this.front.hearReset();
    if (this.#exchange) this.#exchange.hearReset();
    else this.#back?.hearReset();
  }

  // What follows is for the front line and the exchange.

  onBytes(chunk: Buffer): number {
    switch (this.#phase) {
      case "head":
        return this.#takeHeadBytes(chunk);
      case "judging":
        return 0;
      case "exchange":
        return this.#exchange?.takeRequestBytes(chunk) ?? 0;
      case "discarding":
        return this.#discard(chunk);
      case "closing":
        return this.#linger(chunk);
      case "gone":
        return chunk.length;
    }
  }

  onTurnEnd(): void {
    this.#exchange?.endFrontTurn();
    this.front.flush();
    if (this.#phase === "head" && this.#heads.isWithin) this.#awaitHead();
  }

  onFarEnd(): void {
    this.#hasFarEnded = true;
    if (this.#phase === "exchange") this.#exchange?.frontEnded();
    else if (this.#phase === "head" && this.#heads.isWithin) this.#refuseBad(TRUNCATED);
    else if (this.#phase !== "judging") this.#close();
  }

  onRoom(): void {
    if (this.#phase === "exchange") this.#exchange?.frontHasRoom();
    else this.front.resume();
  }

  onGone(): void {
    const exchange = this.#exchange;
    this.#phase = "gone";
    clearTimeout(this.#timer);
    this.#heads.release();
    this.#discarded?.release();
    if (exchange) exchange.frontGone();
    else this.#back?.close();
    this.#options.ended?.();
  }

  answerFailure(failure: Refusal, isKept: boolean): void {
    this.#answer(failure, isKept);
  }

  exchangeEnded(next: "kept" | "closing" | "gone"): void {
    this.#exchange = undefined;
    if (this.#phase !== "exchange" || next === "gone") return;
    if (next === "kept") this.#next();
    else this.#close();
  }

  #takeHeadBytes(chunk: Buffer): number {
    // Who does not read the answers gets no more of them.
    if (this.front.isFull) return 0;
    const taken = this.#heads.read(chunk);
    const { failure } = this.#heads;
    if (failure) {
      this.#refuseBad(badHead(failure, chunk));
      return chunk.length;
    }
    const head = this.#heads.takeHead();
    if (!head) return taken;
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const request = readRequest(head);
    if (request.kind === "bad") this.#refuseBad(request);
    else this.#judge(request);
    return taken;
  }

  #judge(request: Request): void {
    this.#phase = "judging";
    this.#asked = request;
    const answer = this.#options.gate(request.head);
    if ("then" in answer) void answer.then((later) => this.#judged(request, later));
    else this.#judged(request, answer);
  }

  #judged(request: Request, answer: GateAnswer): void {
    if (this.#phase !== "judging") {
      if (answer.kind === "pass") answer.done(nothingDone("caller_gone", 0));
    } else if (answer.kind === "refuse") this.#refuse(request, answer);
    else if (answer.head !== request.head && !isWritable(answer.head)) {
      answer.done(nothingDone("request_head_invalid", 500));
      this.#refuse(request, { status: 500, reason: "request_head_invalid", fields: answer.fields });
    } else {
      this.#phase = "exchange";
      this.#exchange = new Exchange(this, { request, pass: answer });
      this.#exchange.begin((user) => answer.way?.reach(user) ?? this.#reach(user));
    }
  }

  /** On the connection's own: of a destination, where no other caller's request may come between. */
  #reach(user: BackUser): Reaching {
    const before = this.#back;
    if (before?.isFree) {
      before.use(user);
      return before;
    }
    if (before) this.#bytesOfPast += before.bytes;
    before?.close();
    const back = new Back(this.#options.lane);
    this.#back = back;
    back.dial(this.#options.dial, user);
    return back;
  }

  /** A small body that is on its way is thrown away; a client that would send more is told to stop. */
  #refuse({ framing, isKept, isExpecting }: Request, refusal: Refusal): void {
    const octets = framing.kind === "length" ? framing.octets : 0;
    const isSmall = framing.kind !== "chunked" && octets <= MAX_DISCARDED_OCTETS;
    const isGoingOn = isKept && !this.isLast && isSmall && !isExpecting;
    this.#answer(refusal, isGoingOn);
    if (!isGoingOn) this.#close();
    else if (octets === 0) this.#next();
    else {
      this.#phase = "discarding";
      this.#discarded = new BodyFlow({ from: framing, to: NO_BODY, line: undefined }, this.limits);
      this.front.resume();
    }
  }

  #refuseBad({ status, reason }: BadRequest): void {
    this.#options.refused(reason, status);
    this.#answer({ status, reason }, false);
    this.#close();
  }

  #answer(refusal: Refusal, isKept: boolean): void {
    const { head, body } = ownResponse(refusal);
    const asked = this.#asked?.head;
    const word = isKept ? (asked?.version === "1.0" ? "keep-alive" : "") : "close";
    const octets = Buffer.byteLength(body);
    if (head.status === 204) this.front.put(bodilessText(head, word));
    else this.front.put(responseText(head, { kind: "length", octets }, word));
    if (asked?.method !== "HEAD") this.front.put(Buffer.from(body));
    if (!this.front.isDelivering) this.front.flush();
  }

  #discard(chunk: Buffer): number {
    const taken = this.#discarded?.take(chunk) ?? 0;
    if (this.#discarded?.isDone !== false) this.#next();
    return taken;
  }

  #next(): void {
    if (this.isLast) {
      this.#close();
      return;
    }
    this.#phase = "head";
    this.#asked = undefined;
    this.front.resume();
  }

  #close(): void {
    if (this.#phase === "closing" || this.#phase === "gone") return;
    this.#phase = "closing";
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.front.reset(), LINGER_MS).unref();
    this.#back?.close();
    this.front.end();
    this.front.resume();
  }

  /** Closing with octets unread would reset the connection, and the answer might be lost. */
  #linger(chunk: Buffer): number {
    this.#lingered += chunk.length;
    if (this.#lingered > MAX_LINGER_OCTETS) this.front.reset();
    return chunk.length;
  }

  #awaitHead(): void {
    this.#timer ??= setTimeout(() => this.#headIsLate(), this.limits.headTimeoutMs).unref();
  }

  #headIsLate(): void {
    if (this.#phase !== "head") return;
    if (this.#heads.isWithin) this.#refuseBad(LATE);
    else this.#close();
  }
}

const TRUNCATED: BadRequest = { kind: "bad", status: 400, reason: "head_truncated" };
const LATE: BadRequest = { kind: "bad", status: 408, reason: "head_timeout" };

function nothingDone(code: string, status: number): ExchangeOutcome {
  return { code, status, requestBytes: 0, responseBytes: 0, durationMs: 0 };
}
