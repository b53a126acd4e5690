/**
 * A tunnel that has ended in order waits for the far side's end. From a pod whose namespace is gone none ever comes:
 * its packets lead nowhere, and the kernel would keep the connection for a quarter of an hour.
 */
import type { Socket } from "node:net";

const LINGER_MS = 1_000;

/** Once our side of the socket is ended the far side has a second to end its own. */
export function boundEnd(socket: Socket): void {
  socket.once("finish", () => {
    const timer = setTimeout(() => socket.destroy(), LINGER_MS);
    socket.once("close", () => clearTimeout(timer));
  });
}
