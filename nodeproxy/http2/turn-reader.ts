/** Reads the frames of a socket in turns, past the socket's stream. */
import type { Socket } from "node:net";
import { readInPlace } from "../tcp/read-in-place.ts";
import type { FrameReader } from "./frame-reader.ts";
import { TurnFeed, type TurnOwner } from "./turn-feed.ts";

export class TurnReader {
  readonly #feed: TurnFeed;

  constructor(socket: Socket, reader: FrameReader, owner: TurnOwner) {
    this.#feed = new TurnFeed(reader, owner, () => reading);
    const reading = readInPlace(socket, (chunk) => this.#feed.take(chunk));
    // Not half-open: a peer that is killed says no more than that. A socket tells its end even while it is paused.
    socket.on("end", () => this.#feed.lost());
    socket.on("close", () => this.#feed.lost());
  }

  /** What still arrives is thrown away. */
  stop(): void {
    this.#feed.stop();
  }
}
