/** Begins to accept from one of a pod's listening sockets: how many may wait in it, and what its connections inherit. */
import type { Server } from "node:net";
import { askWhetherPeerLives, endVanishedTunnels, LISTEN_BACKLOG } from "./sys/tcp-socket.ts";

/** Who comes there: the pod itself, whoever has no tunnel, tunnels. */
export type Listening = "outbound" | "plaintext" | "tunnel";

/** The descriptor is taken over. */
export function listenOn(server: Server, fd: number, kind: Listening): void {
  // The pod's own kernel never vanishes alone.
  if (kind === "plaintext") askWhetherPeerLives(fd);
  if (kind === "tunnel") endVanishedTunnels(fd);
  // As an argument: beside a descriptor Node heeds no option `backlog`, and cuts the queue to 511. Who waits beyond
  // that while this process hangs or starts is reset by the kernel later, or tries again after seconds.
  server.listen({ fd }, LISTEN_BACKLOG);
}
