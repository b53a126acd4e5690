/**
 * `node chat-server.ts PORT`: a WebSocket chat. Who comes is greeted, what one says all hear, and who leaves is told to the
 * others with the code and the reason that it gave. Knows nothing of any mesh.
 */
import type { IncomingMessage } from "node:http";
import { type RawData, type WebSocket, WebSocketServer } from "ws";

const [port = "0"] = process.argv.slice(2);
const server = new WebSocketServer({
  port: Number(port),
  perMessageDeflate: true,
  handleProtocols: (offered) => (offered.has("chat.v2") ? "chat.v2" : false),
  verifyClient: ({ req }, done) => {
    const isWelcome = !req.url?.includes("stranger");
    done(isWelcome, 401, "who are you", { "x-why": "unknown" });
  },
});
server.on("connection", join);

function join(socket: WebSocket, { url = "" }: IncomingMessage): void {
  const name = url.slice(url.lastIndexOf("/") + 1);
  socket.send(`welcome ${name}`);
  socket.on("error", () => undefined);
  socket.on("message", (data, isBinary) => {
    const text = isBinary ? "" : (data as Buffer).toString();
    if (text === "throw me out") socket.close(4_002, "thrown out");
    else toAll(data as Buffer, isBinary);
  });
  socket.on("close", (code, reason) => toAll(`${name} left: ${code} ${String(reason)}`, false));
}

function toAll(data: RawData | string, isBinary: boolean): void {
  for (const socket of server.clients) {
    if (socket.readyState === socket.OPEN) socket.send(data, { binary: isBinary });
  }
}
