/**
 * Feeds a connection's bytes to its frames in turns: whatever one peer sends at once, all others of the node wait for no
 * more than a turn's worth of it. What is left goes on in the next turn of the loop, and meanwhile no more is read.
 *
 * Knows what frames cost and not what they mean; how many are too many is the flood guard's.
 */
import { currentTurn } from "../tcp/loop-turn.ts";
import type { FrameReader } from "./frame-reader.ts";
import { Http2Error } from "./http2-error.ts";

/** In which some thousand small messages are read, a handful of requests, or a quarter of a megabyte. */
const TURN_MS = 1;
/** In the units of `FrameReader`: the clock is looked at so often. */
const STEP_COST = 64;

export interface TurnOwner {
  onError(error: Http2Error): void;
  /** All that has come was read. */
  onRead?(): void;
  /** Nothing more comes. Behind all that did, and maybe twice. */
  onLost(): void;
}

/** Of the transport. */
export interface Tap {
  pause(): unknown;
  resume(): unknown;
}

export class TurnFeed {
  readonly #tap: () => Tap;
  readonly #reader: FrameReader;
  readonly #owner: TurnOwner;
  #turn = -1;
  #untilMs = 0;
  /** Cost at which the clock is looked at, over all chunks. */
  #checkAt = STEP_COST;
  /** For the next turn; while it is there, be it empty, the tap is closed. */
  #rest: Buffer | undefined;
  #isLost = false;
  #isStopped = false;

  constructor(reader: FrameReader, owner: TurnOwner, tap: () => Tap) {
    this.#reader = reader;
    this.#owner = owner;
    this.#tap = tap;
  }

  /** What still arrives is thrown away. */
  stop(): void {
    this.#isStopped = true;
    // Ends a `feed` that is under way too, as if it had read all.
    this.#reader.stop();
    this.#rest = undefined;
    this.#tap().resume();
  }

  /** The chunk is the caller's again once this returns. */
  take(chunk: Buffer): void {
    if (this.#isStopped) return;
    if (this.#rest) {
      this.#rest = Buffer.concat([this.#rest, chunk]);
      return;
    }
    const rest = this.#read(chunk);
    if (!rest) {
      this.#owner.onRead?.();
      return;
    }
    // The memory under the chunk is read into again.
    this.#rest = Buffer.from(rest);
    this.#tap().pause();
    setImmediate(goOn, this);
  }

  /** Nothing comes behind what has come. */
  lost(): void {
    this.#isLost = true;
    if (!this.#rest) this.#owner.onLost();
  }

  /** For the loop only. */
  goOn(): void {
    if (!this.#rest) return;
    this.#rest = this.#read(this.#rest);
    if (this.#rest) {
      setImmediate(goOn, this);
      return;
    }
    this.#owner.onRead?.();
    if (this.#isLost) this.#owner.onLost();
    else this.#tap().resume();
  }

  /** What is left of the chunk for the next turn, be it nothing; `undefined` where this turn goes on. */
  #read(chunk: Buffer): Buffer | undefined {
    const now = currentTurn();
    if (this.#turn !== now) {
      this.#turn = now;
      this.#untilMs = performance.now() + TURN_MS;
    }
    try {
      let rest = chunk;
      for (;;) {
        const end = this.#reader.feed(rest, this.#checkAt);
        if (this.#reader.cost < this.#checkAt) return undefined;
        this.#checkAt = this.#reader.cost + STEP_COST;
        rest = rest.subarray(end);
        if (performance.now() >= this.#untilMs) return rest;
      }
    } catch (error) {
      if (!(error instanceof Http2Error)) throw error;
      this.#owner.onError(error);
      return undefined;
    }
  }
}

function goOn(feed: TurnFeed): void {
  feed.goOn();
}
