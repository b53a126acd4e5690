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
/** Each call takes four: the caller's, which all have first, one in each node proxy, and the application's. */
const SPARES = [65, 70, 90, 110] as const;
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
});

afterAll(async () => {
  for (const socket of sockets) socket.destroy();
  await Promise.all(servers.map((server) => once(server.close(), "close")));
  await mesh[Symbol.asyncDispose]();
});

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
  // libuv takes what waits at a listener into its last descriptor and closes it: a FIN before any word.
  const ended = new Promise((resolve) => socket.once("end", resolve));
  await Promise.race([answered, ended, closed]);
  if (text === "") socket.destroy();
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
  const codes = new Set<string>();
  for (const spare of SPARES) {
    expect(await call(PORT)).toBe("hello");
    const answers = await callWith(spare);
    expect(new Set([...answers, "hello", ""])).toEqual(new Set(["hello", ""]));
    expect(answers.filter((answer) => answer === "hello").length).toBeLessThan(CALLS * 0.75);
    for (const { outcome } of [...mesh.a.ended, ...mesh.b.ended]) codes.add(outcome.code);
    for (const socket of sockets) socket.destroy();
    await until("a call to be answered", async () =>
      (await call(PORT)) === "hello" ? true : undefined,
    );
    expect(await call(FORBIDDEN)).toBe("");
  }
  expect(codes).toContain("too_many_descriptors");
  expect(forbidden).toBe(0);
});

/** What so many calls at once are answered while the process may open `spare` descriptors more. */
async function callWith(spare: number): Promise<readonly string[]> {
  const limit = setLimit(BigInt(readdirSync("/proc/self/fd").length + spare));
  try {
    return await Promise.all(
      Array.from({ length: CALLS }, (_, i) => call(i % 4 === 3 ? FORBIDDEN : PORT)),
    );
  } finally {
    setLimit(limit);
  }
}
