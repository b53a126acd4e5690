/**
 * Listens to what a caller says first, as far as it takes to know which server its TLS names; and keeps it, to be handed on
 * before all that comes after. Decides nothing, and leaves the caller's side paused.
 */
import { Socket } from "node:net";
import { type Side, unwatchGone, watchGone } from "../flow/side.ts";
import type { Opening } from "../flow/splice.ts";
import { HelloReader } from "./hello-reader.ts";

/** A caller that has said nothing by then may be waiting for the server to speak first, which TLS never does. */
const HELLO_TIMEOUT_MS = 10_000;

export interface Heard {
  /** As in `Attempt`: absent where it was no TLS. */
  readonly sni?: string;
  readonly opening: Opening;
}

/** `onHeard` is called once, perhaps at once; with nothing where the caller is gone. */
export function hearHello(front: Side, onHeard: (heard: Heard | undefined) => void): void {
  const reader = new HelloReader();
  const chunks: Buffer[] = [];
  let hasEnded = false;
  let isSettled = false;
  const timeout = setTimeout(settle, HELLO_TIMEOUT_MS);
  function onData(chunk: Buffer): boolean {
    // The chunk is ours for the length of the call only.
    chunks.push(Buffer.from(chunk));
    const hello = reader.take(chunk);
    if (hello) settle(hello.kind === "hello" ? hello.serverName : undefined);
    return true;
  }
  function onEnd(): void {
    hasEnded = true;
    settle();
  }
  function settle(sni?: string): void {
    if (isSettled) return;
    isSettled = true;
    clearTimeout(timeout);
    unwatchGone(front, settle);
    if (front instanceof Socket) front.off("data", onData).off("end", onEnd);
    if (front.destroyed) {
      onHeard(undefined);
      return;
    }
    front.pause();
    const opening = new HeardOpening(front, Buffer.concat(chunks), hasEnded);
    onHeard({ ...(sni === undefined ? {} : { sni }), opening });
  }
  if (front.destroyed) {
    settle();
    return;
  }
  watchGone(front, settle);
  if (front instanceof Socket) front.on("data", onData).on("end", onEnd);
  else front.readBy({ onData, onEnd, onDrain: ignore, onClose: ignore });
  front.resume();
}

class HeardOpening implements Opening {
  readonly bytes: Buffer;
  readonly #front: Side;
  readonly #hasEnded: boolean;

  constructor(front: Side, bytes: Buffer, hasEnded: boolean) {
    this.#front = front;
    this.bytes = bytes;
    this.#hasEnded = hasEnded;
  }

  /** A `net.Socket` tells its end even while it is paused and nobody listens. */
  get hasEnded(): boolean {
    return this.#front instanceof Socket ? this.#front.readableEnded : this.#hasEnded;
  }
}

function ignore(): void {}
