/**
 * Reads a connection's frames in turns: whatever one peer sends at once, all others of the node wait for no more
 * than a turn's worth of it. What is left goes on in the next turn of the loop, and meanwhile no more is read.
 *
 * Knows what frames cost and not what they mean; how many are too many is the flood guard's.
 */
import type { Socket } from "node:net";
import { currentTurn } from "../tcp/loop-turn.ts";
import { type Reading, readInPlace } from "../tcp/read-in-place.ts";
import type { FrameReader } from "./frame-reader.ts";
import { Http2Error } from "./http2-error.ts";

/** In which some thousand small messages are read, a handful of requests, or a quarter of a megabyte. */
const TURN_MS = 1;
/** In the units of `FrameReader`: the clock is looked at so often. */
const STEP_COST = 64;

export interface TurnOwner {
  onError(error: Http2Error): void;
  /** Nothing more comes. Behind all that did, and maybe twice. */
  onLost(): void;
}

export class TurnReader {
  readonly #reading: Reading;
  readonly #reader: FrameReader;
  readonly #owner: TurnOwner;
  #turn = -1;
  #untilMs = 0;
  /** Cost at which the clock is looked at, over all chunks. */
  #checkAt = STEP_COST;
  /** For the next turn; while it is there, be it empty, the socket is paused. */
  #rest: Buffer | undefined;
  #isLost = false;
  #isStopped = false;

  constructor(socket: Socket, reader: FrameReader, owner: TurnOwner) {
    this.#reader = reader;
    this.#owner = owner;
    this.#reading = readInPlace(socket, (chunk) => this.#take(chunk));
    // Not half-open: a peer that is killed says no more than that. A socket tells its end even while it is paused.
    socket.on("end", () => this.#lost());
    socket.on("close", () => this.#lost());
  }

  /** What still arrives is thrown away. */
  stop(): void {
    this.#isStopped = true;
    // Ends a `feed` that is under way too, as if it had read all.
    this.#reader.stop();
    this.#rest = undefined;
    this.#reading.resume();
  }

  #take(chunk: Buffer): void {
    if (this.#isStopped) return;
    if (this.#rest) {
      this.#rest = Buffer.concat([this.#rest, chunk]);
      return;
    }
    const rest = this.#read(chunk);
    if (!rest) return;
    // The memory under the chunk is read into again.
    this.#rest = Buffer.from(rest);
    this.#reading.pause();
    setImmediate(goOn, this);
  }

  /** For the loop only. */
  goOn(): void {
    if (!this.#rest) return;
    this.#rest = this.#read(this.#rest);
    if (this.#rest) setImmediate(goOn, this);
    else if (this.#isLost) this.#owner.onLost();
    else this.#reading.resume();
  }

  #lost(): void {
    this.#isLost = true;
    if (!this.#rest) this.#owner.onLost();
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

function goOn(reader: TurnReader): void {
  reader.goOn();
}
