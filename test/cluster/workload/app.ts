/**
 * The application under the mesh in the cluster tests, run in the weft image by command override:
 *   http PORT         answers {"from": caller's address, "pod": own name}
 *   server-first PORT TCP: sends "hello POD FROM\n" at once, then gives every byte back
 *   call URL          asks once, prints the answer as JSON, ends with 1 where refused
 * It knows nothing of the mesh.
 */
import { createServer as createHttpServer } from "node:http";
import { createServer } from "node:net";
import { hostname } from "node:os";

const [, , role = "", target = ""] = process.argv;

function print(line: object): void {
  process.stdout.write(`${JSON.stringify(line)}\n`);
}

function serveHttp(port: number): void {
  const server = createHttpServer((request, response) => {
    const from = request.socket.remoteAddress?.replace(/^::ffff:/, "");
    response.setHeader("content-type", "application/json");
    response.end(JSON.stringify({ from, pod: hostname(), path: request.url }));
  });
  server.listen(port, () => print({ listening: port }));
  process.once("SIGTERM", () => server.close(() => process.exit(0)));
}

function serveFirst(port: number): void {
  const server = createServer((socket) => {
    socket.on("error", () => socket.destroy());
    socket.write(`hello ${hostname()} ${socket.remoteAddress?.replace(/^::ffff:/, "")}\n`);
    socket.pipe(socket);
  });
  server.listen(port, () => print({ listening: port }));
  process.once("SIGTERM", () => process.exit(0));
}

async function call(url: string): Promise<void> {
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(5_000) });
    print({ status: response.status, body: await response.json() });
  } catch (error) {
    const { cause } = error as { cause?: { code?: string } };
    print({ error: cause?.code ?? String(error) });
    process.exitCode = 1;
  }
}

switch (role) {
  case "http":
    serveHttp(Number(target));
    break;
  case "server-first":
    serveFirst(Number(target));
    break;
  case "call":
    await call(target);
    break;
  default:
    process.stderr.write("http PORT | server-first PORT | call URL\n");
    process.exitCode = 2;
}
