/** How long one request after the other takes over one connection, alone and beside what else the node proxies carry. */
import { spawnSync } from "node:child_process";
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
const SETTLING_REQUESTS = 20;

/** Connections of one pod that all transfer at once. */
const MANY = 64;

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
  /** Processes that a request passes through. */
  readonly chain: readonly number[];
}

type Beside = "alone" | "besideOwnBulk" | "besideOthersBulk" | "besideOthersMany" | "besideFlood";

/** In turn, so that whatever else the machine does meets all alike. */
export async function latencies(wish: LatencyWish): Promise<Latencies> {
  const socket = await connectFrom(wish.caller.namespace, wish);
  const p99s: Record<Beside, number[]> = {
    alone: [],
    besideOwnBulk: [],
    besideOthersBulk: [],
    besideOthersMany: [],
    besideFlood: [],
  };
  const done = { bulk: 0, flood: 0 };
  let isUrgent = true;
  async function measure(beside: Beside): Promise<void> {
    isUrgent = setUrgent(wish.chain, true) && isUrgent;
    p99s[beside].push(await percentile99(socket, wish.requests));
    setUrgent(wish.chain, false);
  }
  await percentile99(socket, wish.requests);
  for (let i = 0; i < wish.rounds; i += 1) {
    await measure("alone");
    for (const { beside, netns, role, connections } of loadsOf(wish)) {
      const load = await startDriver(wish, netns, [role, connections]);
      // It has begun, and what waits for it has come together.
      await percentile99(socket, SETTLING_REQUESTS);
      await measure(beside);
      done[role] += await stopDriver(load);
    }
  }
  socket.destroy();
  return {
    isUrgent,
    alone: median(p99s.alone),
    besideOwnBulk: median(p99s.besideOwnBulk),
    besideOthersBulk: median(p99s.besideOthersBulk),
    besideOthersMany: median(p99s.besideOthersMany),
    besideFlood: median(p99s.besideFlood),
    floodCalls: done.flood,
    bulkMB: Math.round(done.bulk / 1e6),
  };
}

interface Load {
  readonly beside: Beside;
  readonly netns: string;
  readonly role: "bulk" | "flood";
  readonly connections: number;
}

function loadsOf({ caller, other }: LatencyWish): readonly Load[] {
  const bulk = { role: "bulk", connections: 1 } as const;
  return [
    { ...bulk, beside: "besideOwnBulk", netns: caller.netns },
    { ...bulk, beside: "besideOthersBulk", netns: other.netns },
    { ...bulk, beside: "besideOthersMany", netns: other.netns, connections: MANY },
    { beside: "besideFlood", netns: other.netns, role: "flood", connections: 0 },
  ];
}

/**
 * Before all programs of ordinary priority: else what is measured is how the scheduler shares the machine's cores among
 * those who make the load, whoever else uses it, and two node proxies which in truth have a machine each. Not for
 * longer than a measurement. False where it is not allowed.
 */
function setUrgent(pids: readonly number[], isUrgent: boolean): boolean {
  const policy = isUrgent ? ["--rr", "--pid", "1"] : ["--other", "--pid", "0"];
  return pids.every(
    (pid) => spawnSync("chrt", ["--all-tasks", ...policy, String(pid)]).status === 0,
  );
}

async function startDriver(
  { folder, host, ports }: LatencyWish,
  netns: string,
  [role, connections]: readonly ["bulk" | "flood", number],
): Promise<Program> {
  const program = startProgram({
    name: role,
    netns,
    channel: true,
    logFile: join(folder, `logs/${role}.log`),
    command: [process.execPath, DRIVER, role, host, `${ports.load}`, `${connections}`],
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
