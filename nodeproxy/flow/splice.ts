/**
 * Joins the two ends of a permitted connection and copies until both directions have ended.
 *
 *   app ── front ══ back ── upstream     FIN → END_STREAM → FIN, RST → RST_STREAM → RST, each way alone
 *
 * The one place that forwards application bytes, and it demands a `Permit`. Event-level copy with
 * back-pressure; no closure, timer or promise for each chunk or connection. Never reads what it copies.
 */
import { Socket } from "node:net";
import type { Permit } from "../authz/decide.ts";
import type { StreamReader } from "../hbone/stream-line.ts";
import { RawSocket } from "../tcp/raw-socket.ts";
import { givePiece, SlabQueue } from "../tcp/slab-queue.ts";
import type { SocketReader } from "../tcp/socket-reader.ts";
import type { LateReader, ReadLane } from "./read-lane.ts";
import { endedBy, endedInOrder, isResetUnheard, passReset, resetSide, type Side } from "./side.ts";

/** How it ended: `closed` both directions in order, `reset` abruptly by one of the peers, `cut` by us. */
export type SpliceEnd = "closed" | "reset" | "cut";

export interface SpliceOwner {
  /** Called exactly once, after both ends are gone. */
  onSpliceEnd(end: SpliceEnd): void;
}

/** Half a TLS record. */
const BULK_BYTES = 8_192;
/** Sockets that hold back what they were given in this turn. */
const gathering: Socket[] = [];

const HALF: unique symbol = Symbol("half");

interface Spliced {
  [HALF]?: Half | undefined;
}

/** One direction: what is read from `from` is written to `to`. Tunnel streams call it, sockets by their events. */
class Half implements StreamReader, SocketReader, LateReader {
  readonly from: Side;
  readonly to: Side;
  readonly #splice: Splice;
  readonly #isFromTunnel: boolean;
  bytes = 0;
  /** Of what a socket reads; tunnels have turns of their own. */
  readonly #lane: ReadLane | undefined;
  /** Read in a turn that had no room for it: the socket is paused until it has gone on. */
  #late: SlabQueue | undefined;
  #isClosed = false;

  constructor(splice: Splice, { from, to }: Way, lane: ReadLane | undefined) {
    this.#splice = splice;
    this.from = from;
    this.to = to;
    this.#isFromTunnel = !(from instanceof Socket) && !(from instanceof RawSocket);
    this.#lane = this.#isFromTunnel ? undefined : lane;
  }

  onData(chunk: Buffer): boolean {
    this.bytes += chunk.length;
    const lane = this.#lane;
    if (!lane || lane.admit(chunk.length)) return this.#carry(chunk);
    this.from.pause();
    this.#late ??= new SlabQueue();
    this.#late.push(chunk, true);
    lane.defer(this);
    return false;
  }

  get lateBytes(): number {
    return this.#late?.bytes ?? 0;
  }

  /** No drain is waited for meanwhile: who waits for one reads nothing that could be late. */
  deliverLate(): void {
    if (this.#carryLate()) this.from.resume();
  }

  /** Nothing comes behind it. */
  #hurryLate(): void {
    if (!this.#late) return;
    this.#lane?.forget(this);
    this.#carryLate();
  }

  #carryLate(): boolean {
    const late = this.#late;
    this.#late = undefined;
    let hasRoom = true;
    for (let piece = late?.takePiece(); piece; piece = late?.takePiece()) {
      if (!this.#carry(piece.memory.subarray(piece.from, piece.to))) hasRoom = false;
      givePiece(piece);
    }
    return hasRoom;
  }

  #carry(chunk: Buffer): boolean {
    const isBulk = chunk.length >= BULK_BYTES;
    const { to } = this;
    if (!isBulk && isBehind(to)) return this.#writeBehind(to, chunk);
    const hasRoom = to instanceof Socket ? writeStream(to, chunk) : to.write(chunk);
    // What a tunnel may send is bounded until it is told that this has gone on; small pieces it keeps better itself.
    if (!hasRoom && (!isBulk || !this.#isFromTunnel)) this.from.pause();
    return hasRoom;
  }

  /**
   * A socket that takes nothing would keep each small chunk by itself, which costs far more than its octets: one
   * waits, and whoever sends the others keeps them together until it is written.
   */
  #writeBehind(to: Socket, chunk: Buffer): boolean {
    const { from } = this;
    from.pause();
    to.write(Buffer.from(chunk), () => from.resume());
    return false;
  }

  /** Read before there was a splice; comes first, whatever there is room for. */
  open({ bytes, hasEnded }: Opening): void {
    this.bytes += bytes.length;
    if (bytes.length > 0) this.#carry(bytes);
    if (hasEnded) this.to.end();
  }

  onEnd(): void {
    // A `net.Socket` tells its end even while it is paused.
    this.#hurryLate();
    this.to.end();
  }

  /** What was written to `from` has gone on: the other direction may go on reading. */
  onDrain(): void {
    this.to.resume();
  }

  onClose(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#hurryLate();
    this.#splice.sideClosed(this);
  }
}

interface Way {
  readonly from: Side;
  readonly to: Side;
}

export interface SpliceEnds {
  /** The caller's side. */
  readonly front: Side;
  readonly back: Side;
  /** Of the pod whose connection it is. */
  readonly lane?: ReadLane;
  readonly opening?: Opening;
}

/** What was read of the front already: it goes on before the rest. */
export interface Opening {
  readonly bytes: Buffer;
  /** The front has told its end as well. */
  readonly hasEnded: boolean;
}

export class Splice {
  readonly #forth: Half;
  readonly #back: Half;
  readonly #owner: SpliceOwner;
  #open = 2;
  #end: SpliceEnd = "closed";
  #reason: string | undefined;

  /** Both ends are connected, paused and without readers; they belong to the splice from here on. */
  constructor(_permit: Permit, { front, back, lane, opening }: SpliceEnds, owner: SpliceOwner) {
    this.#forth = new Half(this, { from: front, to: back }, lane);
    this.#back = new Half(this, { from: back, to: front }, lane);
    this.#owner = owner;
    if (opening) this.#forth.open(opening);
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

  /** Ends it where one of the peers has reset a side that nobody reads: `reset-watch.ts` asks. */
  hearResets(): void {
    for (const { from } of [this.#forth, this.#back]) if (isResetUnheard(from)) resetSide(from);
  }

  /** For this file's listeners only: one side is gone. */
  sideClosed(half: Half): void {
    if (!endedInOrder(half.from)) {
      if (this.#end === "closed") this.#end = "reset";
      this.#reason ??= endedBy(half.from);
      passReset(half.to);
    }
    this.#open -= 1;
    if (this.#open === 0) this.#owner.onSpliceEnd(this.#end);
  }
}

function attach(half: Half): void {
  const { from } = half;
  if (from instanceof Socket) attachSocket(from, half);
  else from.readBy(half);
  // Gone between its connecting and now; the event may already have been emitted.
  if (from.destroyed) process.nextTick(close, half);
  // Accepted sockets wait paused; a "data" listener alone does not wake what was paused on purpose.
  else from.resume();
}

function attachSocket(socket: Socket & Spliced, half: Half): void {
  socket[HALF] = half;
  socket.on("error", onError);
  socket.on("close", onClose);
  if (socket.destroyed) return;
  socket.on("data", onData);
  socket.on("end", onEnd);
  socket.on("drain", onDrain);
}

function onData(this: Spliced, chunk: Buffer): void {
  this[HALF]?.onData(chunk);
}

/**
 * A bulk transfer arrives in pieces of one TLS record, cut once more where HTTP/2 frames end: what one
 * turn of the loop reads goes out in one writev(2). Short messages never wait. All others gather by themselves.
 */
function writeStream(socket: Socket, chunk: Buffer): boolean {
  if (chunk.length >= BULK_BYTES && socket.writableCorked === 0) {
    socket.cork();
    if (gathering.length === 0) setImmediate(release);
    gathering.push(socket);
  }
  // The stream keeps it for longer than it is ours.
  return socket.write(Buffer.from(chunk));
}

/** Does it still have what it was given in another turn? */
function isBehind(side: Side): side is Socket {
  return side instanceof Socket && side.writableLength > 0 && side.writableCorked === 0;
}

function release(): void {
  for (const socket of gathering.splice(0)) socket.uncork();
}

function onDrain(this: Spliced): void {
  this[HALF]?.onDrain();
}

function onEnd(this: Spliced): void {
  this[HALF]?.onEnd();
}

/** The reason arrives with "close"; without a listener the error would end the process. */
function onError(): void {}

function onClose(this: Spliced): void {
  this[HALF]?.onClose();
  // Not `delete`: that turns the whole socket into a dictionary, and closing it is slow from there on.
  this[HALF] = undefined;
}

function close(half: Half): void {
  half.onClose();
}
