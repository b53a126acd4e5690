/** One question and its answer over TCP, on a connection of its own or on one that is kept. */
import { connect, type Socket } from "node:net";
import { SECRET, type Target } from "./load-messages.ts";

/** Resolves with the name of whoever answered. */
export async function ask(target: Target, patienceMs: number): Promise<string> {
  const socket = openSocket(target);
  try {
    return await exchange(socket, patienceMs);
  } finally {
    socket.destroy();
  }
}

/** A reset between two exchanges must not end the program. */
export function openSocket(target: Target): Socket {
  const socket = connect(target);
  return socket.on("error", () => socket.destroy());
}

export function exchange(socket: Socket, patienceMs: number): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  if (socket.destroyed) return Promise.reject(new Error("closed before it was asked"));
  const timer = setTimeout(() => reject(new Error(`no answer in ${patienceMs} ms`)), patienceMs);
  function take(bytes: Buffer): void {
    resolve(bytes.toString().split(" ")[0] ?? "");
  }
  function closed(): void {
    reject(new Error("closed without an answer"));
  }
  socket.once("data", take).once("error", reject).once("close", closed);
  socket.write(`${SECRET}\n`);
  return promise.finally(() => {
    clearTimeout(timer);
    socket.off("data", take).off("error", reject).off("close", closed);
  });
}
