/** One question and its answer over TCP, on a connection of its own or on one that is kept. */
import { connect, type Socket } from "node:net";
import { nameIn, newNonce, questionOf } from "./checked-text.ts";
import type { Target } from "./load-messages.ts";

/** Resolves with the name of whoever answered; rejects with `CorruptError` for what is no answer to what was asked. */
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
  const nonce = newNonce();
  let text = "";
  function take(bytes: Buffer): void {
    text += bytes.toString("latin1");
    try {
      const name = nameIn(text, nonce);
      if (name !== undefined) resolve(name);
    } catch (error) {
      reject(error);
      socket.destroy();
    }
  }
  function closed(): void {
    reject(new Error("closed without an answer"));
  }
  socket.on("data", take).once("error", reject).once("close", closed);
  socket.write(questionOf(nonce));
  return promise.finally(() => {
    clearTimeout(timer);
    socket.off("data", take).off("error", reject).off("close", closed);
  });
}
