/**
 * h2spec, which is not ours, against the tunnels' HTTP/2: once against the framer alone, as a server of any
 * request, where all of it applies; once against a pod's port 15008 behind TLS and a client certificate. And against
 * the engine of ports that speak HTTP/2 alone, and such ports through two node proxies, beside Node's own server in the
 * same run.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer as createHttp2Server } from "node:http2";
import { type AddressInfo, createServer, type Server, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Duplex } from "node:stream";
import { connect } from "node:tls";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { startHboneServer } from "../fakes/hbone-pair.ts";
import { Http2Engine, startHttp2App } from "../fakes/http2-engine.ts";
import { provideGoProgram } from "../world/go-program.ts";
import { createAttackMesh } from "./attack-mesh.ts";
import { createTwoFronts, FRONTS, type Front } from "./two-fronts.ts";

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

interface Run {
  /** For what a case waits for, before it fails. */
  readonly seconds?: number;
  /** All of them by default. */
  readonly sections?: readonly string[];
}

let runs = 0;

async function runH2spec(port: number, { seconds = 10, sections = [] }: Run = {}): Promise<Report> {
  runs += 1;
  const file = join(folder, `${runs}.xml`);
  const args = ["--strict", "-h", "127.0.0.1", "-p", `${port}`, "-o", `${seconds}`, "-j", file];
  const program = await provideGoProgram("h2spec");
  const child = spawn(program, [...args, ...sections], { stdio: "ignore" });
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

/** h2spec connects from the network of this process, in plaintext: from here on as `dial` says. */
async function startRelay(dial: () => Duplex): Promise<Server> {
  const relay = createServer((near: Socket) => {
    const far = dial();
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

function portOf(server: { address(): AddressInfo | string | null }): number {
  return (server.address() as AddressInfo).port;
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

test("h2spec: all of it passes against the engine of ports that speak HTTP/2", async () => {
  const app = await startHttp2App((stream) => {
    stream.respond({ ":status": 200 });
    stream.end("some content");
  });
  const engine = await new Http2Engine({ appPort: app.port }).start();
  expect(await runH2spec(engine.port)).toEqual({ cases: CASES, notPassed: [] });
  await engine.close();
  await app.close();
});

/** Of cases that fail by what they wait for: a slow machine is given more time, once. */
const QUICK_SECONDS = 3;

test("attack 60: h2spec, against ports that speak HTTP/2, read first at either node, all passes that passes against Node's own server", async () => {
  const own = createHttp2Server((_asked, answer) => answer.end("some content"));
  own.on("session", (session) => session.on("error", () => undefined));
  await once(own.listen(0, "127.0.0.1"), "listening");
  const behind = createHttp2Server((_asked, answer) => answer.end("some content"));
  behind.on("session", (session) => session.on("error", () => undefined));
  const fronts = await createTwoFronts("wt-h2p", "http2", (socket) => {
    behind.emit("connection", socket);
  });
  const relays = await Promise.all(FRONTS.map((front) => startRelay(() => fronts.dial(front))));
  const quick = { seconds: QUICK_SECONDS };
  const [ofNode, ...reports] = await Promise.all(
    [own, ...relays].map((server) => runH2spec(portOf(server), quick)),
  );
  const worse = new Map<Front, readonly string[]>();
  for (const [i, front] of FRONTS.entries()) {
    const more = (reports[i]?.notPassed ?? []).filter((one) => !ofNode?.notPassed.includes(one));
    const sections = [...new Set(more.map((one) => one.split(" ")[0] ?? ""))];
    const relay = relays[i];
    const again =
      more.length === 0 || !relay ? undefined : await runH2spec(portOf(relay), { sections });
    worse.set(
      front,
      more.filter((one) => again?.notPassed.includes(one)),
    );
  }
  expect(Object.fromEntries(worse)).toEqual({ called: [], caller: [] });
  expect([ofNode, ...reports].map((report) => report?.cases)).toEqual([CASES, CASES, CASES]);
  // What it knows of HTTP/2 is worth being compared with.
  expect(ofNode?.notPassed.length).toBeLessThan(20);
  for (const relay of relays) relay.close();
  await fronts[Symbol.asyncDispose]();
  await new Promise((resolve) => own.close(resolve));
});

test("attack 60: h2spec, against a pod's port 15008 all passes that a server of CONNECT can pass, and the pod goes on", async () => {
  const attacks = await createAttackMesh("wt-h2s");
  const { key = "", cert = "" } = attacks.credentials();
  const relay = await startRelay(() => {
    const socket = attacks.dial();
    return connect({ socket, key, cert, rejectUnauthorized: false, ALPNProtocols: ["h2"] });
  });
  const { cases, notPassed } = await runH2spec(portOf(relay));
  expect(notPassed.toSorted()).toEqual(WITHOUT_CONTENT.toSorted());
  expect(cases).toBe(CASES);
  // None of it was a CONNECT to the application.
  expect(attacks.seen).toEqual([]);
  await attacks.stillServes();
  await new Promise((resolve) => relay.close(resolve));
  await attacks[Symbol.asyncDispose]();
});
