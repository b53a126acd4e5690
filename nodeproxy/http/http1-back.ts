/**
 * One connection to a server, for one request after another: a caller's own, so that no answer can reach another
 * caller, or one that a keeper gives to request after request of one pod.
 */
import type { ReadLane } from "../flow/read-lane.ts";
import type { Side } from "../flow/side.ts";
import { dialCode } from "../tcp/dial-code.ts";
import { Line, type LineOwner } from "./http1-line.ts";

const CONNECT_TIMEOUT_MS = 10_000;
/** Before the server ends a connection that idles, as it has said: a request may be on its way as long. */
const MARGIN_MS = 1_000;
/** For the server to end its half, once we have ended ours. */
const CLOSE_TIMEOUT_MS = 5_000;

/** Opens a connection. Tells once, later, that it is there or with a code why not. */
export type DialPod = (onDone: (code?: string) => void) => Side;

export interface BackUser extends LineOwner {
  /** A request may be written. */
  onReady(back: Back): void;
  /** `status`: of the answer; 503 where there is none. */
  onUnreachable(code: string, status?: number): void;
}

/** What is under way to a user: nothing of it is wanted any more. */
export interface Reaching {
  drop(): void;
}

/** Gives a connection to that user, now or later, or says why there is none. Told once. */
export type Reach = (user: BackUser) => Reaching;

/** Has connections for more than one user, and is told of each. */
export interface BackKeeper {
  /** No exchange needs it any more, and it may serve the next. */
  onFree(back: Back): void;
  /** It serves no request any more. Once. */
  onOver(back: Back): void;
}

export class Back implements LineOwner, Reaching {
  readonly #lane: ReadLane | undefined;
  readonly #keeper: BackKeeper | undefined;
  #line: Line | undefined;
  #user: BackUser | undefined;
  #timer: NodeJS.Timeout | undefined;
  #state: "dialling" | "open" | "over" = "dialling";
  #usableUntilMs = Number.POSITIVE_INFINITY;
  #uses = 0;

  constructor(lane: ReadLane | undefined, keeper?: BackKeeper) {
    this.#lane = lane;
    this.#keeper = keeper;
  }

  /** Once, for its first user. */
  dial(dial: DialPod, user: BackUser): void {
    this.#user = user;
    this.#timer = setTimeout(() => this.#settle("connect_timeout"), CONNECT_TIMEOUT_MS);
    try {
      const side = dial((code) => this.#settle(code));
      this.#line = new Line(side, this, this.#lane);
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      process.nextTick(() => this.#settle(code ?? ""));
    }
  }

  /** In place of `dial`: a connection that is there, paused and without reader. Free from here on. */
  adopt(side: Side): void {
    this.#state = "open";
    this.#line = new Line(side, this, this.#lane);
    this.#line.start();
  }

  /** A request may be sent now. */
  get isFree(): boolean {
    return (
      this.#state === "open" &&
      this.#user === undefined &&
      this.#line?.isGone === false &&
      performance.now() < this.#usableUntilMs
    );
  }

  /** Requests that it has served, or serves. */
  get uses(): number {
    return this.#uses;
  }

  /** Once it is open. */
  get line(): Line | undefined {
    return this.#state === "open" ? this.#line : undefined;
  }

  get bytes(): number {
    return this.#line?.bytes ?? 0;
  }

  /** Where it is free. */
  use(user: BackUser): void {
    this.#user = user;
    this.#uses += 1;
    user.onReady(this);
  }

  /** In the midst of an exchange. */
  handTo(user: BackUser): void {
    this.#user = user;
  }

  /** The exchange is over, and all that belongs to it was read. `keptSeconds`: for so long the server keeps it. */
  free(keptSeconds: number | undefined): void {
    this.#user = undefined;
    if (keptSeconds !== undefined) {
      this.#usableUntilMs = performance.now() + keptSeconds * 1_000 - MARGIN_MS;
    }
    this.#line?.resume();
    if (!this.#keeper) return;
    if (this.isFree) this.#keeper.onFree(this);
    else this.close();
  }

  /** The exchange is over with this answer, `undefined` where more came than belongs to it: free, or closed. */
  finish(
    answer: { readonly isKept: boolean; readonly keptSeconds: number | undefined } | undefined,
  ): void {
    if (answer?.isKept && this.line?.hasUnread === false) this.free(answer.keptSeconds);
    else this.close();
  }

  /** Ends it in order, where no exchange needs it any more. */
  close(): void {
    if (this.#state !== "open") {
      this.drop();
      return;
    }
    this.#over();
    this.#user = undefined;
    const line = this.#line;
    if (!line || line.isGone) return;
    this.#timer = setTimeout(() => line.reset(), CLOSE_TIMEOUT_MS).unref();
    line.end();
    line.resume();
  }

  /** Its user's other side was reset. */
  passReset(): void {
    this.#user = undefined;
    this.#line?.passReset();
  }

  /** Ends it now, and its user hears nothing more. */
  drop(): void {
    if (this.#state === "over") return;
    this.#over();
    clearTimeout(this.#timer);
    this.#user = undefined;
    this.#line?.reset();
  }

  hearReset(): void {
    this.#line?.hearReset();
  }

  onBytes(chunk: Buffer): number {
    if (this.#user) return this.#user.onBytes(chunk);
    // An answer that nobody asked for: what comes next could be taken for an answer to somebody's request.
    this.drop();
    return chunk.length;
  }

  onTurnEnd(): void {
    this.#user?.onTurnEnd();
  }

  onFarEnd(): void {
    if (this.#user) this.#user.onFarEnd();
    else this.close();
  }

  onRoom(): void {
    this.#user?.onRoom();
  }

  onGone(isInOrder: boolean): void {
    const user = this.#user;
    this.#user = undefined;
    clearTimeout(this.#timer);
    this.#over();
    user?.onGone(isInOrder);
  }

  #over(): void {
    if (this.#state === "over") return;
    this.#state = "over";
    this.#keeper?.onOver(this);
  }

  #settle(code: string | undefined): void {
    if (this.#state !== "dialling") return;
    clearTimeout(this.#timer);
    const user = this.#user;
    if (code === undefined && this.#line) {
      this.#state = "open";
      this.#line.start();
      user?.onReady(this);
      return;
    }
    this.drop();
    user?.onUnreachable(codeOf(code ?? ""));
  }
}

/** Codes of ours stay. */
function codeOf(code: string): string {
  return /^[a-z_]+$/.test(code) ? code : dialCode(code);
}
