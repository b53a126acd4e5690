/** Connects a socket that was made for it, raw where Node's handles are known. */
import { Socket } from "node:net";
import { getSystemErrorName } from "node:util";
import { type KnownHandles, streamHandles } from "./handles.ts";
import { RawSocket } from "./raw-socket.ts";

export interface Dialling {
  /** Taken over. */
  readonly fd: number;
  readonly address: string;
  readonly port: number;
}

/**
 * `onSettled` is called once, never within this call: without a code once it is connected, else with the name of what
 * the kernel says. Not after the socket was destroyed.
 */
export function dial(
  { fd, address, port }: Dialling,
  onSettled: (code?: string) => void,
  handles: KnownHandles = streamHandles(),
): Socket | RawSocket {
  if (handles === "unknown") return dialStream({ fd, address, port }, onSettled);
  const handle = handles.newTcp();
  const status = handle.open(fd);
  if (status !== 0) throw new Error(`socket ${fd}: ${getSystemErrorName(status)}`);
  const socket = new RawSocket(handles, handle);
  function settle(failure: number): void {
    if (socket.destroyed) return;
    if (failure === 0) onSettled();
    else onSettled(getSystemErrorName(failure));
  }
  const request = handles.newConnect(settle);
  const failure = address.includes(":")
    ? handle.connect6(request, address, port)
    : handle.connect(request, address, port);
  if (failure !== 0) process.nextTick(settle, failure);
  return socket;
}

function dialStream({ fd, address, port }: Dialling, onSettled: (code?: string) => void): Socket {
  const socket = new Socket({ fd, allowHalfOpen: true });
  let isSettled = false;
  function settle(code?: string): void {
    if (isSettled) return;
    isSettled = true;
    onSettled(code);
  }
  socket.on("error", (error: NodeJS.ErrnoException) => settle(error.code ?? "EIO"));
  socket.setNoDelay(true);
  socket.connect({ host: address, port }, () => settle());
  return socket;
}
