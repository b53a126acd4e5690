/**
 * Further tries of one request without a body that has no answer yet, each by a connection of its own beside the
 * request's own try: whose answer is it that the client gets?
 *
 * The first one, whichever try it comes from, but for one that says that its server fails: that counts only once
 * nothing else is under way. All other tries are cancelled then.
 */
import type { Back, BackUser, Reaching } from "./http1-back.ts";
import type { ExchangeHost, Pass } from "./http1-exchange-host.ts";
import { isEmpty } from "./http1-framing.ts";
import { requestText } from "./http1-head-text.ts";
import type { Request } from "./http1-request.ts";
import type { Response } from "./http1-response.ts";
import { ResponseReader } from "./http1-response-reader.ts";
import type { Beside } from "./request-tries.ts";
import type { HedgedTry, Hedging, TryFailure } from "./request-way.ts";

export interface HedgeHost {
  /** It is the request's only try from here on, and this its answer. The connection is the host's. */
  onHedgeAnswer(back: Back, response: Response): void;
  /** Its only try came to nothing. True: it is sent once more. */
  again(failure: TryFailure): boolean;
  /** With an answer of ours. */
  fail(status: number, code: string): void;
}

interface FailedHedge {
  readonly failure: TryFailure;
  /** Of the answer, if this is it. */
  readonly status: number;
  readonly code: string;
}

interface HedgedRequest {
  readonly pass: Pass;
  readonly request: Request;
  readonly limits: ExchangeHost["limits"];
}

/** `undefined` for a request that goes by one connection at a time. */
export function hedgesOf(asked: HedgedRequest, host: HedgeHost): Http1Hedges | undefined {
  const { pass, request } = asked;
  const hedging = pass.way?.hedging;
  if (!hedging || !isEmpty(request.framing) || pass.head.upgrade !== "") return undefined;
  return new Http1Hedges(hedging, asked, host);
}

export class Http1Hedges implements Beside {
  readonly #hedging: Hedging;
  readonly #asked: HedgedRequest;
  readonly #host: HedgeHost;
  readonly #running = new Set<Hedge>();
  #attemptsLeft: number;
  /** The request's own try is under way. */
  #hasOwn = false;
  #timer: NodeJS.Timeout | undefined;

  constructor(hedging: Hedging, asked: HedgedRequest, host: HedgeHost) {
    this.#hedging = hedging;
    this.#asked = asked;
    this.#host = host;
    this.#attemptsLeft = hedging.attempts;
  }

  start(): void {
    this.#hasOwn = true;
    this.#arm();
  }

  outlasts(failure: TryFailure): boolean {
    const isAnswer = failure.kind === "status" && !isServerError(failure.status);
    if (this.#running.size === 0 || isAnswer) {
      this.end();
      return false;
    }
    if (this.#hasOwn) this.#hedging.left(failure);
    this.#hasOwn = false;
    return true;
  }

  end(): void {
    clearTimeout(this.#timer);
    this.#hasOwn = false;
    for (const hedge of this.#running) hedge.drop();
    this.#running.clear();
  }

  // What follows is for the hedges.

  /** True: the answer is the request's, and so is the rest that comes. */
  answered(hedge: Hedge, back: Back, response: Response): boolean {
    const { status } = response.head;
    if (this.#isOneOfMore(hedge) && isServerError(status)) {
      hedge.drop({ kind: "status", status });
      return false;
    }
    this.end();
    hedge.adopt();
    this.#host.onHedgeAnswer(back, response);
    return true;
  }

  failed(hedge: Hedge, { failure, status, code }: FailedHedge): void {
    if (this.#isOneOfMore(hedge)) {
      hedge.drop(failure);
      return;
    }
    this.end();
    hedge.adopt();
    hedge.drop();
    if (!this.#host.again(failure)) this.#host.fail(status, code);
  }

  /** It is none of them any more. */
  #isOneOfMore(hedge: Hedge): boolean {
    this.#running.delete(hedge);
    return this.#hasOwn || this.#running.size > 0;
  }

  #arm(): void {
    if (this.#attemptsLeft === 0) return;
    this.#timer = setTimeout(() => this.#begin(), this.#hedging.delayMs);
  }

  #begin(): void {
    const tried = this.#hedging.begin();
    if (!tried) return;
    this.#attemptsLeft -= 1;
    const hedge = new Hedge(tried, this.#asked, this);
    this.#running.add(hedge);
    this.#arm();
    hedge.begin();
  }
}

class Hedge implements BackUser {
  readonly #tried: HedgedTry;
  readonly #asked: HedgedRequest;
  readonly #owner: Http1Hedges;
  readonly #heads: ResponseReader;
  #reaching: Reaching | undefined;
  #back: Back | undefined;
  #timer: NodeJS.Timeout | undefined;
  #isOver = false;
  #isAdopted = false;

  constructor(tried: HedgedTry, asked: HedgedRequest, owner: Http1Hedges) {
    this.#tried = tried;
    this.#asked = asked;
    this.#owner = owner;
    this.#heads = new ResponseReader(asked.pass.head, asked.limits);
  }

  begin(): void {
    this.#reaching = this.#tried.reach(this);
  }

  /** Its connection is its adopter's. */
  adopt(): void {
    this.#isAdopted = true;
    this.#leave();
    this.#tried.adopt();
  }

  /** Nobody waits for it any more. `failure`: why. */
  drop(failure?: TryFailure): void {
    this.#leave();
    (this.#back ?? this.#reaching)?.drop();
    if (!this.#isAdopted) this.#tried.end(failure);
  }

  onReady(back: Back): void {
    const { line } = back;
    if (this.#isOver || !line) return;
    const { pass, request } = this.#asked;
    const tryTimeoutMs = pass.way?.tryTimeoutMs ?? 0;
    this.#back = back;
    if (tryTimeoutMs > 0) this.#timer = setTimeout(() => this.#failed(LATE), tryTimeoutMs);
    line.put(requestText(pass.head, request.framing));
    line.flush();
  }

  onUnreachable(code: string, status = 503): void {
    this.#failed({ failure: { kind: "unreachable" }, status, code });
  }

  onBytes(chunk: Buffer): number {
    const back = this.#back;
    if (this.#isOver || !back) return chunk.length;
    const taken = this.#heads.read(chunk);
    const response = this.#heads.take();
    if (response === "invalid") this.#failed(INVALID);
    else if (!response || response.head.status < 200) return taken;
    else if (this.#owner.answered(this, back, response)) return taken;
    return chunk.length;
  }

  onTurnEnd(): void {}

  onFarEnd(): void {
    this.#failed(LOST);
  }

  onRoom(): void {}

  onGone(): void {
    this.#failed(LOST);
  }

  #failed(failed: FailedHedge): void {
    if (!this.#isOver) this.#owner.failed(this, failed);
  }

  #leave(): void {
    this.#isOver = true;
    clearTimeout(this.#timer);
    this.#heads.release();
  }
}

const LOST = { failure: { kind: "lost" }, status: 503, code: "upstream_reset" } as const;
const LATE = { failure: { kind: "late" }, status: 504, code: "request_timeout" } as const;
const INVALID = { ...LOST, status: 502, code: "upstream_response_invalid" } as const;

function isServerError(status: number): boolean {
  return status >= 500;
}
