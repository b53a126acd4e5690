/**
 * TLS 1.3's early data (RFC 8446 2.3) at the tunnel port: octets before the handshake's end, which whoever has seen them
 * once can send again. None is taken, whoever sends them, and the handshake goes on without.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { until } from "../world/until.ts";
import { APP_PORT, type AttackMesh, createAttackMesh } from "./attack-mesh.ts";
import { connectTo, FRAME, frame, headers } from "./raw-http2.ts";

const PREFIX = "wt-early";
const IN_NODE = ["nsenter", `--net=/run/netns/${PREFIX}-node`];
const OTHER_SERVER = "127.0.0.1:4433";
const GREETING = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
let attacks: AttackMesh;
let folder: string;

beforeAll(async () => {
  attacks = await createAttackMesh(PREFIX);
  folder = mkdtempSync(join(tmpdir(), "weft-early-"));
  const { key = "", cert = "" } = attacks.credentials();
  writeFileSync(join(folder, "key"), key);
  writeFileSync(join(folder, "cert"), cert);
  const request = headers(1, connectTo(`${attacks.mesh.network.b.v4}:${APP_PORT}`));
  const tunnel = [Buffer.from(GREETING), frame([FRAME.settings, 0, 0]), request];
  writeFileSync(join(folder, "early"), Buffer.concat(tunnel));
});

afterAll(async () => {
  rmSync(folder, { recursive: true });
  await attacks[Symbol.asyncDispose]();
});

/** What it says, standard error included. Its standard input has ended. */
async function client(to: string, args: readonly string[]): Promise<string> {
  const own = ["-cert", join(folder, "cert"), "-key", join(folder, "key"), "-alpn", "h2"];
  const [program = "", ...rest] = [...IN_NODE, "openssl", "s_client", "-tls1_3", ...own];
  const child = spawn(program, [...rest, "-connect", to, ...args], {
    stdio: ["ignore", "pipe", "pipe"],
  });
  let said = "";
  for (const output of [child.stdout, child.stderr]) {
    output.on("data", (chunk: Buffer) => {
      said += chunk.toString();
    });
  }
  await once(child, "close");
  return said;
}

/** A session by which a client may send early data, of a server that takes it: it stands in the file. */
async function sessionOf(file: string): Promise<void> {
  const own = ["-cert", join(folder, "cert"), "-key", join(folder, "key"), "-alpn", "h2"];
  const options = ["-accept", OTHER_SERVER, "-early_data", "-quiet", ...own];
  const [program = "", ...rest] = [...IN_NODE, "openssl", "s_server", ...options];
  const server = spawn(program, rest, { stdio: ["pipe", "ignore", "ignore"] });
  const exit = once(server, "exit");
  try {
    await until("a session", async () => {
      const said = await client(OTHER_SERVER, ["-sess_out", file]);
      return said.includes("Max Early Data: 16384") ? true : undefined;
    });
  } finally {
    server.kill("SIGKILL");
    await exit;
  }
}

test("early data: a whole request before the handshake's end is not heard, and the tunnel stands without it", async () => {
  const session = join(folder, "session");
  await sessionOf(session);
  const { mesh, seen } = attacks;
  const known = seen.length;
  const early = ["-sess_in", session, "-early_data", join(folder, "early")];
  const said = await client(`${mesh.network.b.v4}:15008`, early);
  expect(said).toContain("Early data was rejected");
  await attacks.stillServes();
  // That call alone.
  expect(seen).toHaveLength(known + 1);
});

test("early data: the tunnel port gives no session by which any could be sent", async () => {
  const { b } = attacks.mesh.network;
  const session = join(folder, "session-of-weft");
  const said = await client(`${b.v4}:15008`, ["-sess_out", session]);
  expect(said).not.toMatch(/Max Early Data: [1-9]/);
});
