/**
 * The layer-4 bench: weft beside every peer whose binary is given, interleaved in one run, on two nodes
 * of network namespaces. Medians over the rounds; CPU and latency of both hops together.
 *
 * The machine is shared: compare figures of one run only.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { startProgram } from "../world/program.ts";
import { until } from "../world/until.ts";
import { createBenchWorld } from "./bench-world.ts";
import { bulk, fortio, fortioCount, type LoadTarget, wrk } from "./load.ts";
import { startOrigin } from "./origin.ts";
import { cpuSeconds, memoryMB } from "./process-cost.ts";
import type { BenchSetting, BenchTarget, RunningTarget } from "./target.ts";

export interface L4Figures {
  /** CPU microseconds per request on 64 keep-alive connections, and per request with a connection of its own. */
  readonly keepaliveUs: number;
  readonly newConnectionUs: number;
  readonly cpuSecondsPerGB: number;
  /** At 1,000 requests a second. */
  readonly p50Us: number;
  readonly p99Us: number;
  /** CPU milliseconds a second without any connection. */
  readonly idleCpuMsPerSecond: number;
  /** For each node proxy. */
  readonly idleMB: number;
  readonly busyMB: number;
  /** For each idle connection and node proxy. */
  readonly idleConnectionKB: number;
}

export interface L4Options {
  /** Takes what the targets write. */
  readonly folder: string;
  readonly httpPort: number;
  readonly bulkPort: number;
  readonly targets: readonly BenchTarget[];
  readonly rounds: number;
  readonly secondsPerLoad: number;
  readonly fortioProgram: string;
}

const IDLE_CONNECTIONS = 1_000;
const HOPS = 2;

export async function runL4(options: L4Options): Promise<Readonly<Record<string, L4Figures>>> {
  const { targets } = options;
  const rounds: Record<string, L4Figures[]> = {};
  for (let round = 0; round < options.rounds; round += 1) {
    // Another one begins each round, so that none always follows the same neighbour.
    for (let i = 0; i < targets.length; i += 1) {
      const target = targets[(round + i) % targets.length];
      if (!target) continue;
      const figures = await measure(target, options);
      console.error(`round ${round + 1} ${target.name}: ${JSON.stringify(figures)}`);
      (rounds[target.name] ??= []).push(figures);
    }
  }
  return Object.fromEntries(Object.entries(rounds).map(([name, all]) => [name, medians(all)]));
}

async function measure(target: BenchTarget, options: L4Options): Promise<L4Figures> {
  const { folder, httpPort, bulkPort } = options;
  const bench = createBenchWorld();
  const { world, client, server } = bench;
  const setting = { world, client, server, folder, httpPort, bulkPort };
  const origin = startOrigin(folder, server.netns, httpPort);
  const running = await target.start(setting);
  try {
    await untilAnswers(loadOf(setting));
    return await measureRunning(running, setting, options);
  } finally {
    await running.close();
    await origin.stop();
    bench.remove();
  }
}

function loadOf({ client, server, httpPort, bulkPort }: BenchSetting): LoadTarget {
  return { netns: client.netns, address: server.address, httpPort, bulkPort };
}

async function measureRunning(
  { programs }: RunningTarget,
  setting: BenchSetting,
  { secondsPerLoad: seconds, fortioProgram }: L4Options,
): Promise<L4Figures> {
  const pids = programs.map(({ child }) => child.pid ?? 0);
  const load = loadOf(setting);
  async function cpuPer(work: () => Promise<number>): Promise<number> {
    const before = cpuSeconds(pids);
    const amount = await work();
    return (cpuSeconds(pids) - before) / amount;
  }
  const idleCpu = await cpuPer(async () => {
    await delay(seconds * 1000);
    return seconds;
  });
  const idleMB = memoryMB(pids) / HOPS;
  const idleConnectionKB = await idleConnectionCost(pids, load, idleMB);
  await warmUp(load, fortioProgram);
  const keepalive = await cpuPer(() =>
    wrk(load, { connections: 64, seconds, newConnections: false }),
  );
  const fresh = await cpuPer(() => wrk(load, { connections: 32, seconds, newConnections: true }));
  const latency = await fortio(load, fortioProgram, seconds);
  const busyMB = memoryMB(pids) / HOPS;
  const perByte = await cpuPer(() => bulkFrom(setting, seconds));
  return {
    keepaliveUs: rounded(keepalive * 1e6),
    newConnectionUs: rounded(fresh * 1e6),
    cpuSecondsPerGB: Math.round(perByte * 1e11) / 100,
    p50Us: rounded(latency.p50Us),
    p99Us: rounded(latency.p99Us),
    idleCpuMsPerSecond: rounded(idleCpu * 1e3),
    idleMB: rounded(idleMB),
    busyMB: rounded(busyMB),
    idleConnectionKB: rounded(idleConnectionKB),
  };
}

/**
 * The same work for every target, by count and not by time: a node proxy runs for weeks, and what its first
 * seconds cost (compilers, growing heaps) is not what is asked for.
 */
async function warmUp(load: LoadTarget, program: string): Promise<void> {
  await fortioCount(load, program, { requests: 40_000, newConnections: false });
  await fortioCount(load, program, { requests: 12_000, newConnections: true });
}

/** Bytes that one stream moved to a server of its own. */
async function bulkFrom({ folder, ...setting }: BenchSetting, seconds: number): Promise<number> {
  const { server, bulkPort } = setting;
  const program = startProgram({
    name: "iperf3",
    command: ["iperf3", "--server", "--one-off", `--port=${bulkPort}`],
    netns: server.netns,
    logFile: join(folder, "iperf3.log"),
  });
  try {
    await untilListening(server.netns, bulkPort);
    return await bulk(loadOf({ folder, ...setting }), seconds);
  } finally {
    await program.stop("SIGKILL");
  }
}

function rounded(value: number): number {
  return Math.round(value * 10) / 10;
}

async function idleConnectionCost(
  pids: readonly number[],
  load: LoadTarget,
  idleMB: number,
): Promise<number> {
  const client = spawn(
    "nsenter",
    [
      `--net=${load.netns}`,
      process.execPath,
      join(import.meta.dirname, "idle-client.ts"),
      load.address,
      String(load.httpPort),
      String(IDLE_CONNECTIONS),
    ],
    { stdio: ["ignore", "ignore", "inherit", "ipc"] },
  );
  await once(client, "message");
  const withConnections = memoryMB(pids) / HOPS;
  const exit = once(client, "exit");
  client.disconnect();
  await exit;
  return ((withConnections - idleMB) * 1024) / IDLE_CONNECTIONS;
}

async function untilAnswers(load: LoadTarget): Promise<void> {
  await until("an answer through the target", async () => {
    const requests = await wrk(load, { connections: 1, seconds: 1, newConnections: false }).catch(
      () => 0,
    );
    return requests > 0 ? true : undefined;
  });
}

async function untilListening(netns: string, port: number): Promise<void> {
  await until(`port ${port} to listen`, async () => {
    const child = spawn("nsenter", [`--net=${netns}`, "ss", "-Hltn", `sport = :${port}`]);
    const [output] = (await once(child.stdout, "data").catch(() => [""])) as [Buffer | string];
    return output.toString() === "" ? undefined : true;
  });
}

function medians(all: readonly L4Figures[]): L4Figures {
  const names = Object.keys(all[0] ?? {}) as (keyof L4Figures)[];
  return Object.fromEntries(
    names.map((name) => {
      const sorted = all.map((figures) => figures[name]).sort((a, b) => a - b);
      return [name, sorted[Math.floor(sorted.length / 2)] ?? Number.NaN];
    }),
  ) as unknown as L4Figures;
}
