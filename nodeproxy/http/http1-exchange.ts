/**
 * One request that may pass, and its response: head and body to the pod, head and body back, each as they come.
 *
 * A request is sent once, whatever becomes of it. What fails before the response's head has an answer of ours, what
 * fails later ends the client's connection abruptly: no part of a body is ever taken for the whole.
 */
import type { HttpLimits } from "./http-limits.ts";
import type { Back, BackUser } from "./http1-back.ts";
import { BodyFlow } from "./http1-body-flow.ts";
import { framingTo, UNTIL_CLOSE } from "./http1-framing.ts";
import { HeadReader } from "./http1-head-reader.ts";
import { bodilessText, requestText, responseText, upgradedText } from "./http1-head-text.ts";
import type { Line } from "./http1-line.ts";
import type { Request } from "./http1-request.ts";
import { type Response, readResponse } from "./http1-response.ts";
import type { GateAnswer } from "./message.ts";

export type Pass = Extract<GateAnswer, { readonly kind: "pass" }>;

/** The client's connection, and what it does once the exchange is over. */
export interface ExchangeHost {
  readonly front: Line;
  readonly limits: HttpLimits;
  /** No request is to follow. */
  readonly isLast: boolean;
  /** Says why there is no response, of which nothing has been sent. */
  answerFailure(
    failure: { readonly status: number; readonly reason: string },
    isKept: boolean,
  ): void;
  /** `kept`: the next request may come. `closing`: none comes, behind what was sent. `gone`: the client is, too. */
  exchangeEnded(next: "kept" | "closing" | "gone"): void;
}

export interface Asked {
  readonly request: Request;
  readonly pass: Pass;
}

/** Of one exchange: who announces a response for ever is not heard for ever. */
const MAX_INTERIM = 32;

export class Exchange implements BackUser {
  readonly #host: ExchangeHost;
  readonly #request: Request;
  readonly #pass: Pass;
  readonly #sinceMs = performance.now();
  readonly #heads: HeadReader;
  #back: Back | undefined;
  #forth: BodyFlow | undefined;
  #reply: Response | undefined;
  #backwards: BodyFlow | undefined;
  #isFrontKept = false;
  #isTunnel = false;
  #isDirty = false;
  #interims = 0;
  #status = 0;
  #isOver = false;
  #release: (() => void) | undefined;

  constructor(host: ExchangeHost, { request, pass }: Asked) {
    this.#host = host;
    this.#request = request;
    this.#pass = pass;
    this.#heads = new HeadReader("response", host.limits);
  }

  /** `reach`: gives a connection to the pod, one that is free or has the exchange as its user. */
  begin(reach: (user: BackUser) => Back): void {
    this.#release = this.#pass.hold(() => this.cut());
    if (this.#isOver) {
      this.#release();
      return;
    }
    const back = reach(this);
    this.#back = back;
    if (back.isFree) back.use(this);
  }

  /** Whoever gave the connection says so, once it can be written to. */
  onReady(): void {
    const { front, limits } = this.#host;
    const line = this.#back?.line;
    if (this.#isOver || !line) return;
    const { framing } = this.#request;
    this.#forth = new BodyFlow({ from: framing, to: framing, line }, limits);
    line.put(requestText(this.#pass.head, framing));
    front.resume();
    // Else more of it goes along, and the end of the turn sends it.
    if (!front.isDelivering) this.endFrontTurn();
  }

  onUnreachable(code: string): void {
    this.#fail(503, code);
  }

  // From the client.

  takeRequestBytes(chunk: Buffer): number {
    const forth = this.#forth;
    if (!forth || this.#isOver) return 0;
    const taken = forth.take(chunk);
    if (!forth.hasFailed) return taken;
    this.#fail(400, "body_malformed");
    return chunk.length;
  }

  endFrontTurn(): void {
    const line = this.#back?.line;
    if (this.#isOver || !line) return;
    this.#forth?.endTurn();
    line.flush();
    if (line.isFull) this.#host.front.hold();
  }

  /** It sends no more, and may still read. */
  frontEnded(): void {
    if (this.#isTunnel) this.#tunnelEnded(this.#forth, this.#back?.line);
    else if (!this.#isRequestSent()) this.#fail(400, "request_truncated");
  }

  frontHasRoom(): void {
    this.#back?.line?.resume();
  }

  frontGone(): void {
    if (this.#isOver) return;
    if (this.#isTunnel) this.#back?.passReset();
    else this.#back?.drop();
    this.#end(this.#isTunnel ? "connection_reset" : "caller_gone");
    this.#host.exchangeEnded("gone");
  }

  // From the pod.

  onBytes(chunk: Buffer): number {
    if (this.#isOver) return chunk.length;
    const backwards = this.#backwards;
    if (!backwards) return this.#takeHeadBytes(chunk);
    const taken = backwards.take(chunk);
    if (backwards.hasFailed) this.#fail(502, "upstream_response_invalid");
    else if (taken > 0) return taken;
    // Behind a response comes nothing that anybody has asked for.
    this.#isDirty = true;
    return chunk.length;
  }

  onTurnEnd(): void {
    if (this.#isOver) return;
    const { front } = this.#host;
    this.#backwards?.endTurn();
    front.flush();
    if (front.isFull) this.#back?.line?.hold();
    if (this.#backwards?.isDone && !this.#isTunnel) this.#complete();
  }

  onFarEnd(): void {
    if (this.#isTunnel) this.#tunnelEnded(this.#backwards, this.#host.front);
    else if (this.#backwards?.endWithConnection()) this.onTurnEnd();
    else this.#fail(503, "upstream_reset");
  }

  onRoom(): void {
    this.#host.front.resume();
  }

  onGone(isInOrder: boolean): void {
    if (this.#isOver) return;
    if (!this.#isTunnel) this.#fail(503, "upstream_reset");
    else if (!isInOrder) {
      this.#host.front.passReset();
      this.#end("connection_reset");
      this.#host.exchangeEnded("gone");
    }
  }

  #isRequestSent(): boolean {
    return this.#forth?.isDone ?? this.#request.framing.kind === "none";
  }

  #takeHeadBytes(chunk: Buffer): number {
    const taken = this.#heads.read(chunk);
    const head = this.#heads.takeHead();
    if (head) {
      const response = readResponse(head, this.#pass.head.method);
      if (response && this.#isAcceptable(response)) this.#onResponse(response);
      else this.#fail(502, "upstream_response_invalid");
    } else if (this.#heads.failure) this.#fail(502, "upstream_response_invalid");
    return taken;
  }

  #isAcceptable({ head, upgrade }: Response): boolean {
    const { upgrade: asked } = this.#pass.head;
    if (head.status === 101) return asked !== "" && upgrade === asked;
    if (head.status >= 200) return true;
    this.#interims += 1;
    return this.#interims <= MAX_INTERIM;
  }

  #onResponse(response: Response): void {
    if (response.head.status === 101) this.#changeProtocol(response);
    else if (response.head.status >= 200) this.#beginResponse(response);
    // RFC 9110 15.2: "a server MUST NOT send a 1xx response to an HTTP/1.0 client".
    else if (this.#request.head.version !== "1.0") {
      this.#host.front.put(bodilessText(response.head, ""));
    }
  }

  #beginResponse(response: Response): void {
    const { front, limits, isLast } = this.#host;
    const { framing, head } = response;
    const isOld = this.#request.head.version === "1.0";
    const to = framingTo(framing, isOld);
    // Who is told no while it still sends is to stop, and the rest of its body is nobody's request.
    const isToStop = !this.#isRequestSent() && head.status >= 400;
    this.#isFrontKept = this.#request.isKept && !isLast && to.kind !== "close" && !isToStop;
    const word = this.#isFrontKept ? (isOld ? "keep-alive" : "") : "close";
    this.#status = head.status;
    this.#reply = response;
    this.#backwards = new BodyFlow({ from: framing, to, line: front }, limits);
    front.put(to.kind === "none" ? bodilessText(head, word) : responseText(head, to, word));
  }

  #changeProtocol({ head, upgrade }: Response): void {
    const { front, limits } = this.#host;
    const line = this.#back?.line;
    this.#isTunnel = true;
    this.#status = 101;
    front.put(upgradedText(head, upgrade));
    const whole = { from: UNTIL_CLOSE, to: UNTIL_CLOSE };
    this.#forth = new BodyFlow({ ...whole, line }, limits);
    this.#backwards = new BodyFlow({ ...whole, line: front }, limits);
    front.resume();
  }

  #tunnelEnded(half: BodyFlow | undefined, to: Line | undefined): void {
    if (this.#isOver) return;
    half?.endWithConnection();
    to?.end();
    if (!this.#forth?.isDone || !this.#backwards?.isDone) return;
    this.#end("");
    this.#back?.close();
    this.#host.exchangeEnded("closing");
  }

  #complete(): void {
    const isSent = this.#isRequestSent();
    const back = this.#back;
    this.#end("");
    if (!isSent) back?.drop();
    else if (this.#isBackKept()) back?.free(this.#reply?.keptSeconds);
    else back?.close();
    this.#host.exchangeEnded(isSent && this.#isFrontKept ? "kept" : "closing");
  }

  #isBackKept(): boolean {
    return !this.#isDirty && this.#reply?.isKept === true && this.#back?.line?.hasUnread === false;
  }

  #fail(status: number, code: string): void {
    if (this.#isOver) return;
    const { front, isLast } = this.#host;
    const isKept = this.#request.isKept && !isLast && this.#isRequestSent();
    const isBegun = this.#reply !== undefined;
    if (!isBegun) this.#status = status;
    this.#back?.drop();
    this.#end(code);
    if (isBegun) front.reset();
    else this.#host.answerFailure({ status, reason: code }, isKept);
    this.#host.exchangeEnded(isBegun ? "gone" : isKept ? "kept" : "closing");
  }

  /** A policy forbids it now, or all is to end. */
  cut(): void {
    if (this.#isOver) return;
    this.#back?.drop();
    this.#end("cut");
    this.#host.front.reset();
    this.#host.exchangeEnded("gone");
  }

  #end(code: string): void {
    this.#isOver = true;
    this.#release?.();
    this.#heads.release();
    this.#forth?.release();
    this.#backwards?.release();
    this.#pass.done({
      code,
      status: this.#status,
      requestBytes: this.#forth?.octets ?? 0,
      responseBytes: this.#backwards?.octets ?? 0,
      durationMs: performance.now() - this.#sinceMs,
    });
  }
}
