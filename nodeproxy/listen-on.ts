/** Begins to accept from one of a pod's listening sockets: how many may wait in it. */
import type { Server } from "node:net";
import { LISTEN_BACKLOG } from "./sys/tcp-socket.ts";

/** The descriptor is taken over. */
export function listenOn(server: Server, fd: number): void {
  // As an argument: beside a descriptor Node heeds no option `backlog`, and cuts the queue to 511. Who waits beyond
  // that while this process hangs or starts is reset by the kernel later, or tries again after seconds.
  server.listen({ fd }, LISTEN_BACKLOG);
}
