/**
 * Joins the two ends of a permitted connection and copies until both directions have ended.
 *
 *   app ── front ══ back ── upstream     FIN → END_STREAM → FIN, RST → RST_STREAM → RST, each way alone
 *
 * The one place that forwards application bytes, and it demands a `Permit`. Event-level copy with
 * back-pressure; no closure, timer or promise for each chunk or connection. Never reads what it copies.
 */
import type { Permit } from "../authz/decide.ts";
import { endedBy, endedInOrder, resetSide, type Side, wasReset } from "./side.ts";

/** How it ended: `closed` both directions in order, `reset` abruptly by one of the peers, `cut` by us. */
export type SpliceEnd = "closed" | "reset" | "cut";

export interface SpliceOwner {
  /** Called exactly once, after both ends are gone. */
  onSpliceEnd(end: SpliceEnd): void;
}

/** Half a TLS record. */
const BULK_BYTES = 8_192;
/** Sides that hold back what they were given in this turn. */
const gathering: Side[] = [];

const HALF: unique symbol = Symbol("half");

interface Spliced {
  [HALF]?: Half | undefined;
}

/** One direction: what is read from `from` is written to `to`. */
class Half {
  readonly from: Side & Spliced;
  readonly to: Side & Spliced;
  readonly splice: Splice;
  bytes = 0;

  constructor(splice: Splice, from: Side, to: Side) {
    this.splice = splice;
    this.from = from;
    this.to = to;
  }
}

export interface SpliceEnds {
  /** The caller's side. */
  readonly front: Side;
  readonly back: Side;
}

export class Splice {
  readonly #forth: Half;
  readonly #back: Half;
  readonly #owner: SpliceOwner;
  #open = 2;
  #end: SpliceEnd = "closed";
  #reason: string | undefined;

  /** Both ends are connected, paused and without readers; they belong to the splice from here on. */
  constructor(_permit: Permit, { front, back }: SpliceEnds, owner: SpliceOwner) {
    this.#forth = new Half(this, front, back);
    this.#back = new Half(this, back, front);
    this.#owner = owner;
    attach(this.#forth);
    attach(this.#back);
  }

  /** Bytes read from the front. */
  get bytesForth(): number {
    return this.#forth.bytes;
  }

  /** Bytes read from the back. */
  get bytesBack(): number {
    return this.#back.bytes;
  }

  /** The code where we ended the tunnel under one of the ends. */
  get reason(): string | undefined {
    return this.#reason;
  }

  /** Resets both ends now: a policy forbids the connection or the pod is gone. */
  cut(): void {
    this.#end = "cut";
    resetSide(this.#forth.from);
    resetSide(this.#back.from);
  }

  /** For this file's listeners only: one side is gone. */
  sideClosed(half: Half): void {
    if (!endedInOrder(half.from)) {
      if (this.#end === "closed") this.#end = "reset";
      this.#reason ??= endedBy(half.from);
      resetSide(half.to);
    }
    this.#open -= 1;
    if (this.#open === 0) this.#owner.onSpliceEnd(this.#end);
  }
}

function attach(half: Half): void {
  const { from } = half;
  from[HALF] = half;
  from.on("error", onError);
  from.on("close", onClose);
  if (from.destroyed) {
    // Gone between its connecting and now; "close" may already have been emitted.
    process.nextTick(closeOnce, half);
    return;
  }
  from.on("data", onData);
  from.on("end", onEnd);
  from.on("drain", onDrain);
  // Accepted sockets wait paused; a "data" listener alone does not wake what was paused on purpose.
  from.resume();
}

function onData(this: Spliced, chunk: Buffer): void {
  const half = this[HALF];
  if (!half) return;
  half.bytes += chunk.length;
  if (chunk.length >= BULK_BYTES) gather(half.to);
  if (!half.to.write(chunk)) half.from.pause();
}

/**
 * A bulk transfer arrives in pieces of one TLS record, cut once more where HTTP/2 frames end: what one
 * turn of the loop reads goes out in one writev(2). Short messages never wait.
 */
function gather(side: Side): void {
  if (side.writableCorked > 0) return;
  side.cork();
  if (gathering.length === 0) setImmediate(release);
  gathering.push(side);
}

function release(): void {
  for (const side of gathering.splice(0)) side.uncork();
}

function onDrain(this: Spliced): void {
  this[HALF]?.to.resume();
}

function onEnd(this: Spliced): void {
  const half = this[HALF];
  if (!half) return;
  if (wasReset(half.from)) resetSide(half.to);
  else half.to.end();
}

/** The reason arrives with "close"; without a listener the error would end the process. */
function onError(): void {}

function onClose(this: Spliced): void {
  if (this[HALF]) closeOnce(this[HALF]);
}

function closeOnce(half: Half): void {
  if (half.from[HALF] !== half) return;
  // Not `delete`: that turns the whole socket into a dictionary, and closing it is slow from there on.
  half.from[HALF] = undefined;
  half.splice.sideClosed(half);
}
