/**
 * Node's own stream handles, which lie under `net.Socket` and `TLSSocket` and have no public name.
 *
 * The one place that knows them. They change between major versions, so they are used only in the one that
 * they were tried with and only where they have the shape expected; everywhere else `net.Socket` does the work.
 */
import type { Socket } from "node:net";

/** What a write that could not be done at once leaves behind. */
export interface WriteRequest {
  oncomplete: (this: WriteRequest, status: number) => void;
  /** Set where it was done before anybody could listen. */
  writeStatus: number | null;
}

export interface StreamHandle {
  /** Called for bytes in the user buffer and for the end; `streamBaseState` tells which. */
  onread: (this: StreamHandle, bytes?: ArrayBuffer) => unknown;
  readStart(): number;
  readStop(): number;
  /** Reads go into this memory from here on. */
  useUserBuffer(buffer: Uint8Array): void;
  /** An error's number, 0 where all was written at once, else the request. */
  writeBuffer(request: null, chunk: Uint8Array): number | WriteRequest;
  shutdown(request: object): number;
  close(): void;
}

export interface PeerName {
  address?: string;
  port?: number;
  family?: string;
}

export interface TcpHandle extends StreamHandle {
  readonly fd: number;
  open(fd: number): number;
  setNoDelay(on: boolean): number;
  getpeername(into: PeerName): number;
  connect(request: object, address: string, port: number): number;
  connect6(request: object, address: string, port: number): number;
  /** Closes with RST. */
  reset(closed: () => void): number;
}

export interface Handles {
  readonly newTcp: () => TcpHandle;
  readonly newConnect: (onComplete: (status: number) => void) => object;
  readonly newShutdown: () => object;
  /** Bytes of the read that is being told of; negative for an error. */
  readonly readBytes: () => number;
  readonly writeError: () => number;
}

/** Of Node, that all this was tried with. */
const MAJOR = "26";

interface TcpBinding {
  readonly TCP: new (kind: number) => TcpHandle;
  readonly TCPConnectWrap: new () => { oncomplete: (status: number) => void };
  readonly constants: { readonly SOCKET: number };
}

interface StreamBinding {
  readonly ShutdownWrap: new () => { oncomplete: () => void };
  readonly streamBaseState: Readonly<Record<number, number>>;
  readonly kReadBytesOrError: number;
  readonly kLastWriteErr: number;
}

/** Or that this Node's are not known. */
export type KnownHandles = Handles | "unknown";

let found: KnownHandles | undefined;

export function streamHandles(): KnownHandles {
  found ??= findHandles(process.versions.node);
  return found;
}

/** For another version of Node, too: what the fallback's tests need. */
export function findHandles(version: string): KnownHandles {
  if (version.split(".")[0] !== MAJOR) return "unknown";
  const { binding } = process as unknown as { readonly binding?: (name: string) => unknown };
  try {
    const tcp = binding?.("tcp_wrap") as Partial<TcpBinding> | undefined;
    const stream = binding?.("stream_wrap") as Partial<StreamBinding> | undefined;
    return tcp && stream ? handlesOf(tcp, stream) : "unknown";
  } catch {
    return "unknown";
  }
}

function handlesOf(
  { TCP, TCPConnectWrap, constants }: Partial<TcpBinding>,
  { ShutdownWrap, streamBaseState, kReadBytesOrError, kLastWriteErr }: Partial<StreamBinding>,
): KnownHandles {
  if (!TCP || !TCPConnectWrap || !constants || !ShutdownWrap || !streamBaseState) return "unknown";
  if (kReadBytesOrError === undefined || kLastWriteErr === undefined) return "unknown";
  if (!isTcpHandle(TCP.prototype)) return "unknown";
  return {
    newTcp: () => new TCP(constants.SOCKET),
    newConnect: (onComplete) => {
      const request = new TCPConnectWrap();
      request.oncomplete = onComplete;
      return request;
    },
    newShutdown: () => {
      const request = new ShutdownWrap();
      request.oncomplete = ignore;
      return request;
    },
    readBytes: () => streamBaseState[kReadBytesOrError] ?? 0,
    writeError: () => streamBaseState[kLastWriteErr] ?? 0,
  };
}

const CALLED = ["open", "connect", "connect6", "reset", "getpeername", "setNoDelay"] as const;

function isTcpHandle(handle: object): boolean {
  return CALLED.every((name) => name in handle) && isStreamHandle(handle);
}

function isStreamHandle(handle: object): boolean {
  return ["readStart", "readStop", "useUserBuffer", "writeBuffer", "shutdown", "close"].every(
    (name) => name in handle,
  );
}

/** The handle under a socket that is open. */
export function handleOf(socket: Socket): StreamHandle | undefined {
  const { _handle: handle } = socket as { readonly _handle?: object | null };
  return handle && isStreamHandle(handle) ? (handle as StreamHandle) : undefined;
}

function ignore(): void {}
