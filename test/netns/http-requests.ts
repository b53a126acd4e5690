/** HTTP/1.1 on a raw socket: what is sent is what the test wrote, byte for byte. Not a test itself. */
import { once } from "node:events";
import type { Socket } from "node:net";

export interface RawRequest {
  readonly method?: string;
  /** As it stands in the request line. */
  readonly target?: string;
  readonly host?: string;
  /** Whole lines. */
  readonly lines?: readonly string[];
}

export interface RawAnswer {
  readonly status: number;
  /** `x-weft-reason`, "" where the workload has answered. */
  readonly reason: string;
  readonly head: string;
  readonly body: string;
}

export function requestText({
  method = "GET",
  target = "/",
  host = "api.shop",
  lines = [],
}: RawRequest): string {
  const head = [`${method} ${target} HTTP/1.1`, `host: ${host}`, ...lines, "connection: close"];
  return `${head.join("\r\n")}\r\n\r\n`;
}

/** Sends it on a connection of its own, and reads to the end. */
export async function ask(socket: Socket, text: string): Promise<RawAnswer> {
  let all = "";
  socket.setEncoding("latin1").on("data", (chunk: string) => {
    all += chunk;
  });
  socket.on("error", () => undefined).on("end", () => socket.end());
  socket.write(text, "latin1");
  if (!socket.destroyed) await once(socket, "close");
  return readAnswer(all);
}

export function readAnswer(text: string): RawAnswer {
  const end = text.indexOf("\r\n\r\n");
  const head = end < 0 ? text : text.slice(0, end);
  const [, reason = ""] = /^x-weft-reason: (\S+)$/im.exec(head) ?? [];
  const [, status = "0"] = /^HTTP\/1\.1 (\d{3})/.exec(head) ?? [];
  return { status: Number(status), reason, head, body: end < 0 ? "" : text.slice(end + 4) };
}
