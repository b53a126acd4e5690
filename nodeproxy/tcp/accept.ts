/** Takes the connections of a listening server as raw sockets, or as `net.Socket` where Node's handles are not known. */
import { createServer, type Server, Socket } from "node:net";
import {
  type Handles,
  handleOf,
  type KnownHandles,
  streamHandles,
  type TcpHandle,
} from "./handles.ts";
import { RawSocket } from "./raw-socket.ts";

interface ListeningHandle {
  onconnection?: (status: number, handle: TcpHandle) => void;
}

/** A server for connections that are spliced: none is read before both sides are there, each direction ends by itself. */
export function createStreamServer(take: (socket: Socket) => void): Server {
  return createServer({ allowHalfOpen: true, pauseOnConnect: true, noDelay: true }, take);
}

/** The same, for those of which nobody here reads a byte. */
export function createRawServer(
  take: (socket: Socket | RawSocket) => void,
  handles: KnownHandles = streamHandles(),
): Server {
  const server = createStreamServer(take);
  if (handles !== "unknown") server.on("listening", () => takeHandles(server, handles, take));
  return server;
}

function takeHandles(server: Server, handles: Handles, take: (socket: RawSocket) => void): void {
  const { _handle: listening } = server as { readonly _handle?: ListeningHandle | null };
  const { onconnection: toServer } = listening ?? {};
  if (!listening || !toServer) return;
  listening.onconnection = (status, handle) => {
    // No descriptor left, and its like: the server tells its listeners.
    if (status !== 0) toServer.call(listening, status, handle);
    else take(new RawSocket(handles, handle));
  };
}

/** For whoever needs Node's own: paused, with nothing read. The raw socket is not to be used any more. */
export function toNetSocket(socket: Socket | RawSocket): Socket {
  if (socket instanceof Socket) return socket;
  const options = { handle: socket.releaseHandle(), allowHalfOpen: true, pauseOnCreate: true };
  // As Node's own servers make their sockets, which its types do not know.
  return new Socket(options as unknown as ConstructorParameters<typeof Socket>[0]);
}

/** -1 where it is closed. */
export function descriptorOf(socket: Socket | RawSocket): number {
  if (socket instanceof RawSocket) return socket.fd;
  // Node keeps the descriptor in the handle alone (nodejs/node#8974).
  const handle = handleOf(socket) as TcpHandle | undefined;
  return handle?.fd ?? -1;
}
