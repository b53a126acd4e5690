/**
 * One request that may pass, and its response: head and body to the pod, head and body back, each as they come.
 *
 * A request is sent once, if its way does not say that it may be sent again. What fails before the response's head has an answer of ours, what
 * fails later ends the client's connection abruptly: no part of a body is ever taken for the whole.
 */
import type { Back, BackUser, Reach, Reaching } from "./http1-back.ts";
import type { BodyFlow } from "./http1-body-flow.ts";
import { BodyFlows } from "./http1-body-flows.ts";
import type { Asked, ExchangeHost, Pass } from "./http1-exchange-host.ts";
import { bodilessText, requestText, upgradedText } from "./http1-head-text.ts";
import { type HedgeHost, type Http1Hedges, hedgesOf } from "./http1-hedges.ts";
import type { Line } from "./http1-line.ts";
import type { Request } from "./http1-request.ts";
import type { Response } from "./http1-response.ts";
import { answerHead, plannedText, planResponse } from "./http1-response-plan.ts";
import { ResponseReader } from "./http1-response-reader.ts";
import { type Late, lateCode, RequestTries, type Trying } from "./request-tries.ts";
import type { TryFailure } from "./request-way.ts";

export class Exchange implements BackUser, Trying, HedgeHost {
  readonly #host: ExchangeHost;
  readonly #request: Request;
  readonly #pass: Pass;
  readonly #sinceMs = performance.now();
  readonly #heads: ResponseReader;
  readonly #bodies: BodyFlows;
  readonly beside: Http1Hedges | undefined;
  #tries: RequestTries | undefined;
  #reaching: Reaching | undefined;
  /** Once the request may be written to it. */
  #back: Back | undefined;
  #reply: Response | undefined;
  #isFrontKept = false;
  #isTunnel = false;
  #isDirty = false;
  #status = 0;
  #isOver = false;
  #release: (() => void) | undefined;

  constructor(host: ExchangeHost, { request, pass }: Asked) {
    this.#host = host;
    this.#request = request;
    this.#pass = pass;
    this.#heads = new ResponseReader(pass.head, host.limits);
    this.#bodies = new BodyFlows(request.framing, host.limits);
    this.beside = hedgesOf({ request, pass, limits: host.limits }, this);
  }

  begin(reach: Reach): void {
    const { hold, way } = this.#pass;
    this.#release = hold(() => this.cut());
    if (this.#isOver) {
      this.#release();
      return;
    }
    if (way) this.#tries = new RequestTries(way, this);
    this.#reaching = reach(this);
  }

  onReady(back: Back): void {
    const { front } = this.#host;
    const { head, way } = this.#pass;
    const { framing } = this.#request;
    const { line } = back;
    if (this.#isOver || !line) return;
    this.#back = back;
    this.#tries?.tryBegun();
    line.put(requestText(head, framing));
    this.#bodies.sendForth(line, way);
    front.resume();
    // Else more of it goes along, and the end of the turn sends it.
    if (!front.isDelivering) this.endFrontTurn();
  }

  onUnreachable(code: string, status = 503): void {
    if (this.beside?.outlasts({ kind: "unreachable" })) this.#reaching = undefined;
    else this.fail(status, code);
  }

  takeRequestBytes(chunk: Buffer): number {
    const { forth } = this.#bodies;
    if (!forth || !this.#back || this.#isOver) return 0;
    const taken = forth.take(chunk);
    if (!forth.hasFailed) return taken;
    this.fail(400, "body_malformed");
    return chunk.length;
  }

  endFrontTurn(): void {
    const line = this.#back?.line;
    if (this.#isOver || !line) return;
    this.#bodies.forth?.endTurn();
    line.flush();
    if (line.isFull) this.#host.front.hold();
  }

  /** It sends no more, and may still read. */
  frontEnded(): void {
    if (this.#isTunnel) this.#tunnelEnded(this.#bodies.forth, this.#back?.line);
    else if (!this.#bodies.isForthDone) this.fail(400, "request_truncated");
  }

  frontHasRoom(): void {
    this.#back?.line?.resume();
  }

  frontGone(): void {
    if (this.#isOver) return;
    if (this.#isTunnel) this.#back?.passReset();
    else this.#drop();
    this.#end(this.#isTunnel ? "connection_reset" : "caller_gone");
    this.#host.exchangeEnded("gone");
  }

  onBytes(chunk: Buffer): number {
    if (this.#isOver) return chunk.length;
    const backwards = this.#bodies.back;
    if (!backwards) return this.#takeHeadBytes(chunk);
    const taken = backwards.take(chunk);
    if (backwards.hasFailed) this.fail(502, "upstream_response_invalid");
    else if (taken > 0) return taken;
    // Behind a response comes nothing that anybody has asked for.
    this.#isDirty = true;
    return chunk.length;
  }

  onTurnEnd(): void {
    if (this.#isOver) return;
    const { front } = this.#host;
    this.#bodies.back?.endTurn();
    front.flush();
    if (front.isFull) this.#back?.line?.hold();
    if (this.#bodies.back?.isDone && !this.#isTunnel) this.#complete();
  }

  onFarEnd(): void {
    if (this.#isTunnel) this.#tunnelEnded(this.#bodies.back, this.#host.front);
    else if (this.#bodies.back?.endWithConnection()) this.onTurnEnd();
    else this.#lost();
  }

  onRoom(): void {
    this.#host.front.resume();
  }

  onGone(isInOrder: boolean): void {
    if (this.#isOver) return;
    if (!this.#isTunnel) this.#lost();
    else if (!isInOrder) {
      this.#host.front.passReset();
      this.#end("connection_reset");
      this.#host.exchangeEnded("gone");
    }
  }

  hearReset(): void {
    this.#back?.hearReset();
  }

  get moved(): number {
    return this.#bodies.moved + this.#status;
  }

  onLate(of: Late): void {
    if (this.#isOver || (of === "try" && this.again({ kind: "late" }))) return;
    this.fail(504, lateCode(of));
  }

  onHedgeAnswer(back: Back, response: Response): void {
    this.#drop();
    this.#back = back;
    this.#heads.release();
    this.#tries?.tryBegun();
    back.handTo(this);
    this.#onResponse(response);
  }

  #takeHeadBytes(chunk: Buffer): number {
    const taken = this.#heads.read(chunk);
    const response = this.#heads.take();
    if (response === "invalid") this.fail(502, "upstream_response_invalid");
    else if (response) this.#onResponse(response);
    return this.#back ? taken : chunk.length;
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
    const { status } = response.head;
    if (status >= 400 && this.again({ kind: "status", status })) return;
    this.beside?.end();
    const { front, isLast } = this.#host;
    const head = answerHead(response.head, this.#pass);
    const isSent = this.#bodies.isForthDone;
    const plan = planResponse(this.#request, response, { isLast, isSent });
    this.#isFrontKept = plan.isKept;
    this.#status = head.status;
    this.#reply = response;
    this.#bodies.sendBack({ from: response.framing, to: plan.to, line: front });
    front.put(plannedText(head, plan));
  }

  #changeProtocol({ head, upgrade }: Response): void {
    const { front } = this.#host;
    this.#isTunnel = true;
    // What follows is no response, and ends when either end wants.
    this.#tries?.end();
    this.#status = 101;
    front.put(upgradedText(answerHead(head, this.#pass), upgrade));
    this.#bodies.tunnel(this.#back?.line, front);
    front.resume();
  }

  #tunnelEnded(half: BodyFlow | undefined, to: Line | undefined): void {
    if (this.#isOver) return;
    half?.endWithConnection();
    to?.end();
    if (!this.#bodies.areDone) return;
    this.#end("");
    this.#back?.close();
    this.#host.exchangeEnded("closing");
  }

  #complete(): void {
    const isSent = this.#bodies.isForthDone;
    this.#end("");
    if (!isSent) this.#back?.drop();
    else this.#back?.finish(this.#isDirty ? undefined : this.#reply);
    this.#host.exchangeEnded(isSent && this.#isFrontKept ? "kept" : "closing");
  }

  /** The server's connection is gone before its response was whole. */
  #lost(): void {
    if (!this.#heads.isWithin && this.again({ kind: "lost" })) return;
    this.fail(503, "upstream_reset");
  }

  /** True: it is sent once more, and nothing is heard of this try any more. */
  again(failure: TryFailure): boolean {
    if (this.#reply || this.#isTunnel || this.#bodies.forth?.mayRepeat === false) return false;
    const isSentAgain = this.#tries?.again(failure, () => {
      this.#reaching = this.#pass.way?.reach(this);
    });
    if (!isSentAgain) return false;
    this.#drop();
    this.#back = undefined;
    this.#reaching = undefined;
    this.#heads.release();
    return true;
  }

  /** The server's connection, or what is under way to one. */
  #drop(): void {
    (this.#back ?? this.#reaching)?.drop();
  }

  fail(status: number, code: string): void {
    if (this.#isOver) return;
    const { front, isLast } = this.#host;
    const isKept = this.#request.isKept && !isLast && this.#bodies.isForthDone;
    const isBegun = this.#reply !== undefined;
    if (!isBegun) this.#status = status;
    this.#drop();
    this.#end(code);
    if (isBegun) front.reset();
    else this.#host.answerFailure({ status, reason: code, fields: this.#pass.fields }, isKept);
    this.#host.exchangeEnded(isBegun ? "gone" : isKept ? "kept" : "closing");
  }

  /** A policy forbids it now, or all is to end. */
  cut(): void {
    if (this.#isOver) return;
    this.#drop();
    this.#end("cut");
    this.#host.front.reset();
    this.#host.exchangeEnded("gone");
  }

  #end(code: string): void {
    this.#isOver = true;
    this.#release?.();
    this.#tries?.end();
    this.#heads.release();
    this.#bodies.release();
    this.#pass.done({
      code,
      status: this.#status,
      ...this.#bodies.octets,
      durationMs: performance.now() - this.#sinceMs,
    });
  }
}
