/**
 * Is the other end of an HTTP/2 session still there? Asked by PINGs; whatever it sends is an answer. Without it a peer
 * that vanished keeps its socket, and its streams, until TCP gives up: minutes to never.
 */
import type { Http2Session } from "node:http2";

export interface KeepAlive {
  /** Between PINGs. */
  readonly intervalMs: number;
  /** Without one octet from the other end while a PING waits for its answer. */
  readonly timeoutMs: number;
}

/** A half-open connection is noticed after at most the sum of both. */
export const DEFAULT_KEEP_ALIVE: KeepAlive = { intervalMs: 10_000, timeoutMs: 5_000 };

/** Ends by itself with the session. `onLost` is called once, when nothing came in time. */
export function keepAlive(
  session: Http2Session,
  { intervalMs, timeoutMs }: KeepAlive,
  onLost: () => void,
): void {
  let deadline: NodeJS.Timeout | undefined;
  let readBefore = 0;
  // On a slow line an answer stands behind all that was sent before it, and what comes meanwhile tells as much.
  function look(): void {
    if (session.destroyed) return;
    const { bytesRead } = session.socket;
    if (bytesRead === readBefore) return onLost();
    readBefore = bytesRead;
    deadline?.refresh();
  }
  const interval = setInterval(() => {
    if (session.destroyed || deadline !== undefined) return;
    readBefore = session.socket.bytesRead;
    deadline = setTimeout(look, timeoutMs);
    session.ping(() => {
      clearTimeout(deadline);
      deadline = undefined;
    });
  }, intervalMs);
  session.once("close", () => {
    clearInterval(interval);
    clearTimeout(deadline);
  });
}
