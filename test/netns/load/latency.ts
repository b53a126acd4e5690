/** How long one request after the other takes over one connection, alone and beside what else the node proxies carry. */
import { once } from "node:events";
import { Socket } from "node:net";
import { join } from "node:path";
import { checked, libc } from "../../../nodeproxy/sys/libc.ts";
import { inNamespace, type NetworkNamespace } from "../../../nodeproxy/sys/namespace.ts";
import { type Program, startProgram } from "../../world/program.ts";
import type { Latencies } from "./outcome.ts";

const DRIVER = join(import.meta.dirname, "driver.ts");
const SOCK_STREAM_NONBLOCK_CLOEXEC = 1 | 0o4000 | 0o2000000;
const AF_INET = 2;
const REQUEST = Buffer.alloc(100, "ask.");
/** Between an answer and the next request. */
const PAUSE_MS = 2;

export interface LatencyWish {
  /** Whose requests are timed, and whose bulk shares their tunnel. */
  readonly caller: { readonly namespace: NetworkNamespace; readonly netns: string };
  /** Another pod of the same node. */
  readonly other: { readonly netns: string };
  readonly host: string;
  readonly ports: { readonly requests: number; readonly load: number };
  readonly rounds: number;
  readonly requests: number;
  readonly folder: string;
}

type Beside = "alone" | "besideOwnBulk" | "besideOthersBulk" | "besideFlood";

/** In turn, so that whatever else the machine does meets all alike. */
export async function latencies(wish: LatencyWish): Promise<Latencies> {
  const socket = await connectFrom(wish.caller.namespace, wish);
  const p99s: Record<Beside, number[]> = {
    alone: [],
    besideOwnBulk: [],
    besideOthersBulk: [],
    besideFlood: [],
  };
  let floodCalls = 0;
  let bulkMB = 0;
  await percentile99(socket, wish.requests);
  for (let i = 0; i < wish.rounds; i += 1) {
    p99s.alone.push(await percentile99(socket, wish.requests));
    for (const [beside, netns] of [
      ["besideOwnBulk", wish.caller.netns],
      ["besideOthersBulk", wish.other.netns],
    ] as const) {
      const bulk = await startDriver(wish, netns, "bulk");
      p99s[beside].push(await percentile99(socket, wish.requests));
      bulkMB += Math.round((await stopDriver(bulk)) / 1e6);
    }
    const flood = await startDriver(wish, wish.other.netns, "flood");
    p99s.besideFlood.push(await percentile99(socket, wish.requests));
    floodCalls += await stopDriver(flood);
  }
  socket.destroy();
  return {
    alone: median(p99s.alone),
    besideOwnBulk: median(p99s.besideOwnBulk),
    besideOthersBulk: median(p99s.besideOthersBulk),
    besideFlood: median(p99s.besideFlood),
    floodCalls,
    bulkMB,
  };
}

async function startDriver(
  { folder, host, ports }: LatencyWish,
  netns: string,
  role: "bulk" | "flood",
): Promise<Program> {
  const program = startProgram({
    name: role,
    netns,
    channel: true,
    logFile: join(folder, `logs/${role}.log`),
    command: [process.execPath, DRIVER, role, host, String(ports.load)],
  });
  await once(program.child, "message");
  return program;
}

/** What it has done. */
async function stopDriver(program: Program): Promise<number> {
  const answered = once(program.child, "message") as Promise<[{ readonly done: number }]>;
  program.child.send("how much");
  const [{ done }] = await answered;
  await program.stop("SIGKILL");
  return done;
}

async function connectFrom(
  namespace: NetworkNamespace,
  { host, ports }: Pick<LatencyWish, "host" | "ports">,
): Promise<Socket> {
  const fd = inNamespace(namespace.fd, () =>
    checked(libc.socket(AF_INET, SOCK_STREAM_NONBLOCK_CLOEXEC, 0), "socket"),
  );
  const socket = new Socket({ fd }).connect({ host, port: ports.requests });
  await once(socket, "connect");
  return socket.setNoDelay(true);
}

async function percentile99(socket: Socket, requests: number): Promise<number> {
  const times: number[] = [];
  for (let i = 0; i < requests; i += 1) {
    const sinceMs = performance.now();
    socket.write(REQUEST);
    for (let left = REQUEST.length; left > 0; ) {
      const [chunk] = (await once(socket, "data")) as [Buffer];
      left -= chunk.length;
    }
    times.push(performance.now() - sinceMs);
    await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
  }
  return times.toSorted((a, b) => a - b)[Math.floor(times.length * 0.99)] ?? 0;
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0;
}
