/**
 * An application of the load stage, in a pod's namespace: `serve PORT`, `bulk HOST PORT CONNECTIONS` or `flood HOST PORT`.
 * Says `ready` once it is at work, and tells what it has moved or done so far to whoever sends it anything.
 */
import { connect, createServer, type Socket } from "node:net";

/** Answered as they come; longer than that is bulk, and thrown away. */
const ECHO_BYTES = 4_096;
const CHUNK = Buffer.alloc(256 << 10, "weft");
const FLOOD_AT_ONCE = 64;
const [role = "", ...rest] = process.argv.slice(2);
let done = 0;
let open = 0;
const transfers = new Set<Socket>();

process.on("message", () => {
  // What is still on its way would otherwise be carried beside whoever comes next.
  for (const socket of transfers) socket.resetAndDestroy();
  process.send?.({ done });
});
process.on("disconnect", () => process.exit(0));

switch (role) {
  case "serve":
    createServer({ noDelay: true }, serve).listen(Number(rest[0]), () => process.send?.("ready"));
    break;
  case "bulk":
    for (let i = 0; i < Number(rest[2]); i += 1) bulk(rest[0] ?? "", Number(rest[1]));
    break;
  case "flood":
    for (let i = 0; i < FLOOD_AT_ONCE; i += 1) flood(rest[0] ?? "", Number(rest[1]));
    break;
  default:
    throw new TypeError(`no such role: ${role}`);
}

function serve(socket: Socket): void {
  socket.on("error", () => undefined);
  socket.on("data", (chunk) => {
    if (chunk.length <= ECHO_BYTES && socket.bytesRead <= 1 << 20) socket.write(chunk);
  });
}

function bulk(host: string, port: number): void {
  const socket = connect(port, host, () => {
    open += 1;
    if (open === Number(rest[2])) process.send?.("ready");
    push();
  });
  transfers.add(socket);
  socket.on("close", () => transfers.delete(socket));
  function push(): void {
    while (!socket.destroyed && socket.write(CHUNK)) done += CHUNK.length;
    done += CHUNK.length;
  }
  socket.on("drain", push);
  // What comes before the server sees how much it is.
  socket.resume();
}

/** A connection, an answer, and the next. */
function flood(host: string, port: number): void {
  const socket = connect(port, host, () => socket.write("call"));
  socket.on("error", () => undefined);
  socket.once("data", () => {
    done += 1;
    if (done === FLOOD_AT_ONCE) process.send?.("ready");
    socket.resetAndDestroy();
  });
  socket.once("close", () => flood(host, port));
}
