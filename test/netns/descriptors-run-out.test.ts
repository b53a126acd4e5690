/** The process of both node proxies has no file descriptors left for a while: calls fail with a code, none past policy, and all is well once there are some. */
import { once } from "node:events";
import { readdirSync } from "node:fs";
import type { Server, Socket } from "node:net";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import koffi from "koffi";
import { until } from "../world/until.ts";
import { listenInPod, startFromPod } from "./pod-network.ts";
import { createTrafficMesh, denyPort, enrolment, type TrafficMesh } from "./traffic-mesh.ts";

const PORT = 8080;
const FORBIDDEN = 9090;
const RLIMIT_NOFILE = 7;
const CALLS = 60;
/** Each call takes four: the caller's, one in each node proxy, and the application's. */
const SPARE = 70;
const prlimit = koffi
  .load(null)
  .func("int prlimit(int pid, int resource, const void *wanted, void *had)");
let mesh: TrafficMesh;
const servers: Server[] = [];
const sockets = new Set<Socket>();
let forbidden = 0;

beforeAll(async () => {
  mesh = await createTrafficMesh("wt-nofile");
  const { b } = mesh.network;
  mesh.put(denyPort("shop/deny", FORBIDDEN), enrolment(b, "b", { policies: ["shop/deny"] }));
  servers.push(await listenInPod(b, { port: PORT, family: 4 }, greet));
  servers.push(
    await listenInPod(b, { port: FORBIDDEN, family: 4 }, (socket) => {
      forbidden += 1;
      greet(socket);
    }),
  );
}, 30_000);

afterAll(async () => {
  for (const socket of sockets) socket.destroy();
  await Promise.all(servers.map((server) => once(server.close(), "close")));
  await mesh[Symbol.asyncDispose]();
}, 30_000);

function follow(socket: Socket): Socket {
  sockets.add(socket);
  socket.on("error", () => undefined);
  return socket.on("close", () => sockets.delete(socket));
}

/** Keeps the connection until the caller ends it. */
function greet(socket: Socket): void {
  follow(socket).write("hello");
  socket.on("end", () => socket.end()).resume();
}

/** The answer, or "" where there is none; a connection that is answered stays open. */
async function call(port: number): Promise<string> {
  const { a, b } = mesh.network;
  let socket: Socket;
  try {
    socket = follow(startFromPod(a, b.v4, port));
  } catch {
    // The caller itself has none left.
    return "";
  }
  let text = "";
  socket.on("data", (chunk: Buffer) => {
    text += chunk.toString();
  });
  const answered = new Promise((resolve) => socket.once("data", resolve));
  const closed = new Promise((resolve) => socket.once("close", resolve));
  await Promise.race([answered, closed]);
  return text;
}

/** Limit of this process: soft and hard. */
function setLimit(count: bigint): bigint {
  const [wanted, had] = [Buffer.alloc(16), Buffer.alloc(16)];
  prlimit(0, RLIMIT_NOFILE, null, had);
  wanted.writeBigUInt64LE(count, 0);
  wanted.writeBigUInt64LE(had.readBigUInt64LE(8), 8);
  if (Number(prlimit(0, RLIMIT_NOFILE, wanted, null)) !== 0) throw new Error("prlimit");
  return had.readBigUInt64LE(0);
}

test("descriptors run out: calls fail or are answered right, forbidden ones never, and it heals by itself", async () => {
  expect(await call(PORT)).toBe("hello");
  const open = readdirSync("/proc/self/fd").length;
  const limit = setLimit(BigInt(open + SPARE));
  let answers: readonly string[] = [];
  try {
    const calls = Array.from({ length: CALLS }, (_, i) => call(i % 4 === 3 ? FORBIDDEN : PORT));
    answers = await Promise.all(calls);
  } finally {
    setLimit(limit);
  }
  expect(new Set(answers)).toEqual(new Set(["hello", ""]));
  expect(answers.filter((answer) => answer === "hello").length).toBeLessThan(CALLS * 0.75);
  expect(forbidden).toBe(0);
  const codes = [...mesh.a.ended, ...mesh.b.ended].map(({ outcome }) => outcome.code);
  expect(codes).toContain("too_many_descriptors");
  for (const socket of sockets) socket.destroy();
  await until("a call to be answered", async () =>
    (await call(PORT)) === "hello" ? true : undefined,
  );
  expect(await call(FORBIDDEN)).toBe("");
}, 60_000);
