/** The far side of an HTTP/2 connection of ours, by hand: what it hears, and whoever owns our end. */
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { type Frame, FrameReader } from "../../nodeproxy/http2/frame-reader.ts";
import { FRAME } from "../netns/raw-http2.ts";
import type { HboneServer, RecordedOwner } from "./hbone-pair.ts";

export interface HbonePeer {
  readonly socket: Socket;
  readonly heard: readonly Frame[];
  readonly owner: RecordedOwner;
}

/** Of the server's first connection. The caller destroys the socket. */
export async function startHbonePeer(server: HboneServer): Promise<HbonePeer> {
  const socket = connect(server.port, "127.0.0.1");
  socket.on("error", () => undefined);
  await once(socket, "connect");
  const heard: Frame[] = [];
  const reader = new FrameReader(
    {
      onDataBegin: () => undefined,
      onDataChunk: () => undefined,
      onDataEnd: () => undefined,
      onFrame: (one) => heard.push({ ...one, payload: Buffer.from(one.payload) }),
    },
    { expectsPreface: false, maxFrameBytes: 1 << 18 },
  );
  socket.on("data", (chunk: Buffer) => reader.feed(chunk));
  while (!server.owners[0]) await new Promise((resolve) => setImmediate(resolve));
  return { socket, heard, owner: server.owners[0] };
}

/** `events.once` fails with the errors of a socket, which a connection that is ended may well have. */
export function nextOf(socket: Socket, event: "close" | "data" | "drain"): Promise<void> {
  return new Promise((resolve) => {
    socket.once(event, () => resolve());
  });
}

/** Error code of each GOAWAY and RST_STREAM that came. */
export function endsHeard(heard: readonly Frame[]): string[] {
  return heard.flatMap(({ type, stream, payload }) => {
    if (type === FRAME.goAway) return [`goaway ${payload.readUInt32BE(4)}`];
    return type === FRAME.resetStream ? [`reset ${stream} ${payload.readUInt32BE(0)}`] : [];
  });
}
