/**
 * A TCP connection without Node's streams: bytes both ways, the end of either side alone, the abrupt end of both.
 *
 * For bytes that are only handed on. A `net.Socket` is two streams and an emitter, and costs a new connection
 * a fifth of its CPU. Says and takes the same things as a tunnel's stream; begins without reading.
 */
import type { Handles, PeerName, StreamHandle, TcpHandle, WriteRequest } from "./handles.ts";
import { givePiece, type Piece, SlabQueue } from "./slab-queue.ts";
import type { SocketReader } from "./socket-reader.ts";

/** Octets that the kernel did not take yet; who writes more has to wait for `onDrain`. */
const HIGH_WATER = 64 << 10;
/** Half a TLS record: of a bulk transfer, whose pieces of one turn of the loop go out together. */
const BULK_BYTES = 8_192;

const OWNER: unique symbol = Symbol("raw socket");

interface OwnedHandle extends TcpHandle {
  [OWNER]?: RawSocket;
}

interface OwnedWrite extends WriteRequest {
  socket: RawSocket;
  piece: Piece;
}

/** Of all sockets: whoever reads is done with it before the next read. */
const readBuffer = Buffer.allocUnsafeSlow(64 << 10);
/** Sockets that hold back what they were given in this turn. */
const gathering: RawSocket[] = [];

export class RawSocket {
  readonly #handles: Handles;
  readonly #handle: OwnedHandle;
  readonly #waiting = new SlabQueue();
  #reader: SocketReader | undefined;
  #onClosed: (() => void) | undefined;
  #peer: PeerName | undefined;
  #isReading = false;
  #hasFarEnded = false;
  #near: "open" | "ending" | "ended" = "open";
  /** Octets that the kernel has not taken, of the write that is under way. */
  #writing = 0;
  #isGathering = false;
  #needsDrain = false;
  #isClosed = false;
  #isInOrder = false;

  constructor(handles: Handles, handle: TcpHandle) {
    this.#handles = handles;
    this.#handle = handle;
    handle.setNoDelay(true);
  }

  get fd(): number {
    return this.#handle.fd;
  }

  get remoteAddress(): string | undefined {
    return this.#peerName().address;
  }

  get remotePort(): number | undefined {
    return this.#peerName().port;
  }

  get remoteFamily(): string | undefined {
    return this.#peerName().family;
  }

  /** Else nobody hears of what the peer does. */
  get isReading(): boolean {
    return this.#isReading;
  }

  get destroyed(): boolean {
    return this.#isClosed;
  }

  get endedInOrder(): boolean {
    return this.#isInOrder;
  }

  /** For a `net.Socket` in place of this one, before the first `resume`: nothing is called here any more. */
  releaseHandle(): TcpHandle {
    this.#isClosed = true;
    return this.#handle;
  }

  readBy(reader: SocketReader): void {
    this.#reader = reader;
  }

  /** Told, as a reader would be, when the socket is gone. Until another is named. */
  watchClose(listener: (() => void) | undefined): void {
    this.#onClosed = listener;
  }

  /** The chunk is copied. False: the writer is to wait for `onDrain`. */
  write(chunk: Buffer): boolean {
    if (this.#isClosed || this.#near !== "open") return true;
    this.#waiting.push(chunk, this.#writing === 0);
    if (this.#writing > 0) {
      this.#needsDrain = this.#writing + this.#waiting.bytes >= HIGH_WATER;
      return !this.#needsDrain;
    }
    if (chunk.length >= BULK_BYTES && this.#waiting.bytes < HIGH_WATER) this.#gather();
    else if (!this.#isGathering || this.#waiting.bytes >= HIGH_WATER) this.flush();
    this.#needsDrain = this.#writing + this.#waiting.bytes >= HIGH_WATER;
    return !this.#needsDrain;
  }

  /** Ends our side, behind what was written. */
  end(): void {
    if (this.#isClosed || this.#near !== "open") return;
    this.#near = "ending";
    this.flush();
  }

  /** Ends both sides now, and the peer learns that it was not in order. */
  reset(): void {
    if (this.#isClosed) return;
    this.#closed();
    if (this.#handle.reset(ignore) !== 0) this.#handle.close();
  }

  /** The same behind what was written, as far as the kernel takes it now. */
  resetBehindData(): void {
    this.flush();
    this.reset();
  }

  /** Ends it without a word to anybody here. */
  destroy(): void {
    if (this.#isClosed) return;
    this.#closed();
    this.#handle.close();
  }

  pause(): void {
    if (!this.#isReading || this.#isClosed) return;
    this.#isReading = false;
    this.#handle.readStop();
  }

  resume(): void {
    if (this.#isReading || this.#isClosed || this.#hasFarEnded) return;
    this.#isReading = true;
    const handle = this.#handle;
    if (!handle[OWNER]) {
      handle[OWNER] = this;
      handle.onread = onRead;
      handle.useUserBuffer(readBuffer);
    }
    if (handle.readStart() !== 0) this.destroy();
  }

  // What follows is for this file's functions only.

  /** What waits goes to the kernel, as far as it takes it. */
  flush(): void {
    this.#isGathering = false;
    while (this.#writing === 0 && !this.#isClosed) {
      const piece = this.#waiting.takePiece();
      if (!piece) break;
      this.#writePiece(piece);
    }
    if (this.#writing > 0 || this.#isClosed || this.#near !== "ending") return;
    this.#shutDown();
  }

  written(status: number): void {
    this.#writing = 0;
    if (status < 0) this.destroy();
    this.flush();
    if (!this.#needsDrain || this.#waiting.bytes > HIGH_WATER / 2) return;
    this.#needsDrain = false;
    if (!this.destroyed) this.#reader?.onDrain();
  }

  read(): void {
    if (this.#isClosed) return;
    const bytes = this.#handles.readBytes();
    if (bytes > 0) {
      this.#reader?.onData(readBuffer.subarray(0, bytes));
    } else if (bytes === END_OF_FILE) {
      this.#farEnded();
    } else if (bytes < 0) {
      this.destroy();
    }
  }

  tellClosed(): void {
    this.#onClosed?.();
    this.#reader?.onClose();
  }

  #farEnded(): void {
    this.pause();
    this.#hasFarEnded = true;
    this.#reader?.onEnd();
    this.#closeIfEnded();
  }

  #gather(): void {
    if (this.#isGathering) return;
    this.#isGathering = true;
    if (gathering.length === 0) setImmediate(flushGathered);
    gathering.push(this);
  }

  #writePiece(piece: Piece): void {
    const { memory, from, to } = piece;
    const result = this.#handle.writeBuffer(null, memory.subarray(from, to));
    if (typeof result === "number") {
      givePiece(piece);
      if (result !== 0) this.destroy();
      return;
    }
    if (this.#handles.writeError() !== 0) {
      this.destroy();
      return;
    }
    const request = result as OwnedWrite;
    request.socket = this;
    request.piece = piece;
    request.oncomplete = onWritten;
    this.#writing = to - from;
    const { writeStatus } = request;
    if (writeStatus === null) return;
    request.writeStatus = null;
    givePiece(piece);
    this.#writing = 0;
    if (writeStatus < 0) this.destroy();
  }

  #shutDown(): void {
    this.#near = "ended";
    // Closing says as much, and the kernel still sends what it has.
    if (this.#hasFarEnded) {
      this.#closeIfEnded();
      return;
    }
    const status = this.#handle.shutdown(this.#handles.newShutdown());
    // 1: done at once. Not connected: the peer has reset it, which reading will tell.
    if (status < 0 && status !== NOT_CONNECTED) this.destroy();
  }

  #closeIfEnded(): void {
    if (this.#isClosed || this.#near !== "ended" || !this.#hasFarEnded) return;
    this.#isInOrder = true;
    this.destroy();
  }

  #closed(): void {
    this.#isClosed = true;
    this.#waiting.clear();
    process.nextTick(tellClosed, this);
  }

  #peerName(): PeerName {
    if (this.#peer) return this.#peer;
    const peer: PeerName = {};
    this.#handle.getpeername(peer);
    this.#peer = peer;
    return peer;
  }
}

/** libuv's numbers: negative errno of Linux, and one of its own. */
const END_OF_FILE = -4095;
const NOT_CONNECTED = -107;

function onRead(this: StreamHandle): void {
  (this as OwnedHandle)[OWNER]?.read();
}

function onWritten(this: WriteRequest, status: number): void {
  const { socket, piece } = this as OwnedWrite;
  givePiece(piece);
  socket.written(status);
}

function flushGathered(): void {
  for (const socket of gathering.splice(0)) socket.flush();
}

function tellClosed(socket: RawSocket): void {
  socket.tellClosed();
}

function ignore(): void {}
