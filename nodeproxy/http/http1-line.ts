/**
 * One connection of an HTTP/1 exchange: what is read from a side goes to its owner as far as that takes it, the rest
 * waits here, a read at most; what is written in one turn goes out together.
 *
 * Reads keep to their pod's lane, as those of a splice do. Knows nothing of HTTP.
 */
import { Socket } from "node:net";
import type { LateReader, ReadLane } from "../flow/read-lane.ts";
import { endedInOrder, isResetUnheard, passReset, resetSide, type Side } from "../flow/side.ts";
import type { StreamReader } from "../hbone/stream-line.ts";
import { RawSocket } from "../tcp/raw-socket.ts";
import { givePiece, type Piece, SlabQueue } from "../tcp/slab-queue.ts";
import type { SocketReader } from "../tcp/socket-reader.ts";

export interface LineOwner {
  /** How many of the octets it takes. None, or `hold` called: no more until `resume`. */
  onBytes(chunk: Buffer): number;
  /** All that was read has been offered: what was written meanwhile is to be flushed. */
  onTurnEnd(): void;
  /** Behind the last octet. */
  onFarEnd(): void;
  /** Where `isFull` was true it is so no more. */
  onRoom(): void;
  /** The side is gone, whoever ended it. Once, last. */
  onGone(isInOrder: boolean): void;
}

/** What is written in a turn is put together here: a read's worth, its head and its frame. */
const together = Buffer.allocUnsafeSlow(160 << 10);

export class Line implements StreamReader, SocketReader, LateReader {
  readonly #side: Side;
  readonly #owner: LineOwner;
  readonly #lane: ReadLane | undefined;
  readonly #kept = new SlabQueue();
  #piece: Piece | undefined;
  #isHeld = false;
  #isLate = false;
  #isDelivering = false;
  #isSidePaused = true;
  #farEnd: "open" | "waits" | "told" = "open";
  #isGone = false;
  #isFull = false;
  #parts: (string | Buffer)[] = [];
  #bytesRead = 0;
  #bytesWritten = 0;

  /** The side is connected, paused and without reader; it belongs to the line from here on. `start` is to follow. */
  constructor(side: Side, owner: LineOwner, lane: ReadLane | undefined) {
    this.#side = side;
    this.#owner = owner;
    const isTcp = side instanceof Socket || side instanceof RawSocket;
    // Tunnels have turns of their own.
    this.#lane = isTcp ? lane : undefined;
  }

  get bytes(): number {
    return this.#bytesRead + this.#bytesWritten;
  }

  get isGone(): boolean {
    return this.#isGone || this.#side.destroyed;
  }

  /** What was written has not all gone on. */
  get isFull(): boolean {
    return this.#isFull;
  }

  get isDelivering(): boolean {
    return this.#isDelivering;
  }

  get hasUnread(): boolean {
    return this.lateBytes > 0;
  }

  get lateBytes(): number {
    const piece = this.#piece;
    return this.#kept.bytes + (piece ? piece.to - piece.from : 0);
  }

  start(): void {
    const side = this.#side;
    if (side instanceof Socket) this.#listen(side);
    else side.readBy(this);
    if (side.destroyed) process.nextTick(close, this);
    else this.#settle();
  }

  /** No more until `resume`. */
  hold(): void {
    this.#isHeld = true;
    if (!this.#isDelivering) this.#settle();
  }

  resume(): void {
    this.#isHeld = false;
    if (this.#isDelivering) return;
    if (!this.#isLate) this.#deliverKept();
    this.#settle();
  }

  /** Goes out with `flush`; until then the octets are not to change. */
  put(part: string | Buffer): void {
    const last = this.#parts.length - 1;
    const before = this.#parts[last];
    if (typeof part === "string" && typeof before === "string") this.#parts[last] = before + part;
    else this.#parts.push(part);
  }

  flush(): void {
    const parts = this.#parts;
    if (parts.length === 0) return;
    this.#parts = [];
    const [first] = parts;
    if (parts.length === 1 && first instanceof Buffer) {
      this.#write(first);
      return;
    }
    let at = 0;
    for (const part of parts) at = this.#gather(part, at);
    if (at > 0) this.#write(together.subarray(0, at));
  }

  /** Ends our half, behind what was put. */
  end(): void {
    this.flush();
    if (!this.#side.destroyed) this.#side.end();
  }

  reset(): void {
    this.#parts = [];
    resetSide(this.#side);
  }

  /** Passes on that the other side was reset. */
  passReset(): void {
    this.flush();
    passReset(this.#side);
  }

  /** Ends it where its peer has reset it while nobody reads it: `reset-watch.ts` asks. */
  hearReset(): void {
    if (isResetUnheard(this.#side)) resetSide(this.#side);
  }

  // What follows is for the side and the lane.

  onData(chunk: Buffer): boolean {
    this.#bytesRead += chunk.length;
    const lane = this.#lane;
    if (lane && !lane.admit(chunk.length)) {
      this.#keep(chunk);
      this.#isLate = true;
      lane.defer(this);
    } else if (this.hasUnread || this.#isHeld) {
      this.#keep(chunk);
    } else {
      const taken = this.#offer(chunk);
      if (taken < chunk.length) this.#keep(chunk.subarray(taken));
    }
    this.#settle();
    return !this.#isSidePaused;
  }

  deliverLate(): void {
    this.#isLate = false;
    if (!this.#isHeld) this.#deliverKept();
    this.#settle();
  }

  onEnd(): void {
    if (this.#farEnd !== "open") return;
    this.#farEnd = "waits";
    this.#settle();
  }

  onDrain(): void {
    this.#isFull = false;
    this.#owner.onRoom();
  }

  onClose(): void {
    if (this.#isGone) return;
    this.#isGone = true;
    const isInOrder = endedInOrder(this.#side);
    this.#lane?.forget(this);
    if (isInOrder && !this.#isHeld) {
      this.#deliverKept();
      this.#tellEnd();
    }
    this.#forget();
    this.#owner.onGone(isInOrder);
  }

  /** Reads on, or does not, as things stand; tells the end once nothing is before it. */
  #settle(): void {
    if (this.#side.destroyed || this.#isGone) return;
    const isPaused = this.#isHeld || this.hasUnread;
    if (!isPaused) this.#tellEnd();
    if (isPaused === this.#isSidePaused) return;
    this.#isSidePaused = isPaused;
    if (isPaused) this.#side.pause();
    else this.#side.resume();
  }

  #tellEnd(): void {
    if (this.#farEnd !== "waits" || this.#isDelivering || this.hasUnread) return;
    this.#farEnd = "told";
    this.#owner.onFarEnd();
  }

  /** Returns how many octets the owner took. */
  #offer(chunk: Buffer): number {
    this.#isDelivering = true;
    let at = 0;
    while (at < chunk.length && !this.#isHeld) {
      const taken = this.#owner.onBytes(at === 0 ? chunk : chunk.subarray(at));
      at += taken;
      if (taken === 0) this.#isHeld = true;
    }
    this.#owner.onTurnEnd();
    this.#isDelivering = false;
    return at;
  }

  #keep(chunk: Buffer): void {
    this.#kept.push(chunk, true);
  }

  #deliverKept(): void {
    while (!this.#isHeld) {
      const piece = this.#piece ?? this.#kept.takePiece();
      if (!piece) return;
      // What is being offered does not wait.
      this.#piece = undefined;
      piece.from += this.#offer(piece.memory.subarray(piece.from, piece.to));
      if (piece.from < piece.to) this.#piece = piece;
      else givePiece(piece);
    }
  }

  #forget(): void {
    this.#kept.clear();
    if (this.#piece) givePiece(this.#piece);
    this.#piece = undefined;
    this.#parts = [];
  }

  /** Returns where the next part begins. */
  #gather(part: string | Buffer, at: number): number {
    const length = part.length;
    let from = at;
    if (from + length > together.length) {
      this.#write(together.subarray(0, from));
      from = 0;
    }
    if (length > together.length) {
      this.#write(typeof part === "string" ? Buffer.from(part, "latin1") : part);
      return 0;
    }
    if (typeof part === "string") together.write(part, from, "latin1");
    else part.copy(together, from);
    return from + length;
  }

  #write(chunk: Buffer): void {
    const side = this.#side;
    if (side.destroyed || chunk.length === 0) return;
    this.#bytesWritten += chunk.length;
    // A `net.Socket` keeps it for longer than it is ours.
    const hasRoom = side instanceof Socket ? side.write(Buffer.from(chunk)) : side.write(chunk);
    if (!hasRoom) this.#isFull = true;
  }

  #listen(socket: Socket): void {
    socket.on("error", ignore);
    socket.on("close", () => this.onClose());
    socket.on("data", (chunk: Buffer) => this.onData(chunk));
    socket.on("end", () => this.onEnd());
    socket.on("drain", () => this.onDrain());
  }
}

function close(line: Line): void {
  line.onClose();
}

/** The reason arrives with "close"; without a listener the error would end the process. */
function ignore(): void {}
