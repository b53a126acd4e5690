/**
 * Reads a socket's bytes into memory that is used again for each read, past the socket's stream.
 *
 * The stream would take fresh memory for each record of TLS, and V8 collects the whole heap each time that enough
 * of it has come together.
 */
import type { Socket } from "node:net";
import { handleOf, type KnownHandles, streamHandles } from "./handles.ts";

/** Of all sockets: whoever reads is done with it before the next read. More than a TLS record. */
const readBuffer = Buffer.allocUnsafeSlow(64 << 10);

export interface Reading {
  pause(): unknown;
  resume(): unknown;
}

/**
 * `onBytes` gets each read; the chunk is not its own beyond the call. The end and errors go the stream's way, and so
 * does what the stream holds already.
 */
export function readInPlace(
  socket: Socket,
  onBytes: (chunk: Buffer) => void,
  handles: KnownHandles = streamHandles(),
): Reading {
  socket.on("data", onBytes);
  const handle = handleOf(socket);
  if (handles === "unknown" || !handle) return socket;
  const { readBytes } = handles;
  const { onread: toStream } = handle;
  handle.useUserBuffer(readBuffer);
  handle.onread = (bytes) => {
    const count = readBytes();
    if (count <= 0) return toStream.call(handle, bytes);
    onBytes(readBuffer.subarray(0, count));
    return undefined;
  };
  return {
    pause: () => socket.destroyed || handle.readStop(),
    resume: () => socket.destroyed || handle.readStart(),
  };
}
