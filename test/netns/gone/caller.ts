/** A process in a pod: `serve` echoes on port 8080; `call ADDRESS` opens a connection whenever it is told, and says what became of it. */
import { connect, createServer, type Socket } from "node:net";
import type { CallerMessage } from "./caller-message.ts";

const PORT = 8080;
const PATIENCE_MS = 60_000;
const [role = "", address = ""] = process.argv.slice(2);

function tell(message: CallerMessage): void {
  process.send?.(message);
}

function echo(socket: Socket): void {
  socket.on("error", () => undefined);
  socket.on("data", (chunk) => socket.write(chunk));
}

function call(): void {
  const socket = connect(PORT, address, () => socket.write("echo"));
  let isOpen = false;
  socket.setTimeout(PATIENCE_MS, () => socket.destroy());
  socket.on("error", () => undefined);
  socket.once("data", () => {
    isOpen = true;
    socket.setTimeout(0);
    tell({ kind: "opened", answered: true });
  });
  socket.on("close", () => {
    if (isOpen) tell({ kind: "closed", atMs: Date.now() });
    else tell({ kind: "opened", answered: false });
  });
}

if (role === "serve")
  createServer({ allowHalfOpen: true }, echo).listen(PORT, () => tell({ kind: "ready" }));
else {
  process.on("message", call);
  tell({ kind: "ready" });
}
