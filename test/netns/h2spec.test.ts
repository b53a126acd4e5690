/**
 * h2spec, which is not ours, against the tunnels' HTTP/2: once against the framer alone, as a server of any
 * request, where all of it applies; once against a pod's port 15008 behind TLS and a client certificate. And against
 * the engine of the ports that speak HTTP/2, with an application behind it.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { type AddressInfo, createServer, type Server, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connect } from "node:tls";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { startHboneServer } from "../fakes/hbone-pair.ts";
import { Http2Engine, startHttp2App } from "../fakes/http2-engine.ts";
import { provideGoProgram } from "../world/go-program.ts";
import { type AttackMesh, createAttackMesh } from "./attack-mesh.ts";

const CASES = 146;

/**
 * What does not apply to a server of CONNECT only. h2spec sends GET, which is answered 400 without content; these
 * wait for content. They pass against the framer alone, above.
 */
const WITHOUT_CONTENT = [
  "generic/2 Sends a WINDOW_UPDATE frame on half-closed (remote) stream",
  "generic/2 Sends a PRIORITY frame on half-closed (remote) stream",
  "http2/6.5.3 Sends multiple values of SETTINGS_INITIAL_WINDOW_SIZE",
  "http2/6.9.1 Sends SETTINGS frame to set the initial window size to 1 and sends HEADERS frame",
  "http2/6.9.2 Changes SETTINGS_INITIAL_WINDOW_SIZE after sending HEADERS frame",
  "http2/6.9.2 Sends a SETTINGS frame for window size to be negative",
];

/**
 * What `node:http2` does not do, whoever uses it: frames on streams that nghttp2 has forgotten are passed over, PRIORITY
 * too (RFC 9113 5.3.2 deprecates it); a PING with ACK that nobody asked for, and a window that overflows, end the connection.
 */
const OF_NGHTTP2 = [
  "http2/5.1 closed: Sends a DATA frame after sending RST_STREAM frame",
  "http2/5.1 closed: Sends a HEADERS frame after sending RST_STREAM frame",
  "http2/5.1 closed: Sends a DATA frame",
  "http2/5.1 closed: Sends a HEADERS frame",
  "http2/5.1.1 Sends stream identifier that is numerically smaller than previous",
  "http2/5.3.1 Sends PRIORITY frame that depend on itself",
  "http2/6.3 Sends a PRIORITY frame with 0x0 stream identifier",
  "http2/6.7 Sends a PING frame with ACK",
  "http2/6.9.1 Sends multiple WINDOW_UPDATE frames increasing the flow control window to above 2^31-1 on a stream",
];

let folder: string;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "weft-h2spec-"));
  await provideGoProgram("h2spec");
});

afterAll(() => {
  rmSync(folder, { recursive: true, force: true });
});

interface Report {
  readonly cases: number;
  /** Failed or skipped. */
  readonly notPassed: readonly string[];
}

async function runH2spec(port: number): Promise<Report> {
  const file = join(folder, `${port}.xml`);
  const args = ["--strict", "-h", "127.0.0.1", "-p", `${port}`, "-o", "10", "-j", file];
  const child = spawn(await provideGoProgram("h2spec"), args, { stdio: "ignore" });
  await once(child, "exit");
  const report = readFileSync(file, "utf8");
  const all = [
    ...report.matchAll(
      /<testcase package="([^"]*)" classname="([^"]*)"[^>]*>([\s\S]*?)<\/testcase>/g,
    ),
  ];
  return {
    cases: all.length,
    notPassed: all.filter(([, , , inside]) => inside !== "").map(([, of, what]) => `${of} ${what}`),
  };
}

test("h2spec: all of it passes against the framer", async () => {
  const server = await startHboneServer(({ stream }) => {
    const isTooMany = (server.connections.at(-1)?.streams.size ?? 0) > 1_000;
    if (isTooMany) {
      stream.reset(7);
      return;
    }
    stream.answer(200, false);
    stream.write(Buffer.from("some content"));
    stream.end();
    stream.resume();
  });
  expect(await runH2spec(server.port)).toEqual({ cases: CASES, notPassed: [] });
  await server.close();
});

test("h2spec: against the engine of ports that speak HTTP/2 all passes that passes against Node's own server", async () => {
  const app = await startHttp2App((stream) => {
    stream.respond({ ":status": 200 });
    stream.end("some content");
  });
  const engine = await new Http2Engine({ appPort: app.port }).start();
  const { cases, notPassed } = await runH2spec(engine.port);
  await engine.close();
  await app.close();
  expect(notPassed.filter((one) => !OF_NGHTTP2.includes(one))).toEqual([]);
  expect(cases).toBe(CASES);
});

/** h2spec has no client certificate: plaintext here, TLS from here on. */
async function relayTo(attacks: AttackMesh): Promise<Server> {
  const { key = "", cert = "" } = attacks.credentials();
  const relay = createServer((near: Socket) => {
    const socket = attacks.dial();
    const far = connect({ socket, key, cert, rejectUnauthorized: false, ALPNProtocols: ["h2"] });
    for (const [from, to] of [
      [near, far],
      [far, near],
    ] as const) {
      from.on("error", () => to.destroy());
      from.on("close", () => to.destroy());
      from.pipe(to);
    }
  });
  await once(relay.listen(0, "127.0.0.1"), "listening");
  return relay;
}

test("h2spec: against a pod's port 15008 all passes that a server of CONNECT can pass, and the pod goes on", async () => {
  const attacks = await createAttackMesh("wt-h2s");
  const relay = await relayTo(attacks);
  const { cases, notPassed } = await runH2spec((relay.address() as AddressInfo).port);
  expect(notPassed.toSorted()).toEqual(WITHOUT_CONTENT.toSorted());
  expect(cases).toBe(CASES);
  // None of it was a CONNECT to the application.
  expect(attacks.seen).toEqual([]);
  await attacks.stillServes();
  await new Promise((resolve) => relay.close(resolve));
  await attacks[Symbol.asyncDispose]();
});
