/**
 * The layer-4 bench: weft beside every peer whose binary is given, interleaved in one run, on two nodes
 * of network namespaces. Medians over the rounds; CPU and latency of both hops together.
 *
 * The machine is shared: compare figures of one run only.
 */
import { setTimeout as delay } from "node:timers/promises";
import { bulkFrom } from "./bulk-server.ts";
import { openIdle } from "./idle-connections.ts";
import { fortio, type LoadTarget, warmUp, wrk } from "./load.ts";
import { medians } from "./medians.ts";
import { cpuSeconds, memoryMB } from "./process-cost.ts";
import type { BenchSetting, BenchTarget, RunningTarget } from "./target.ts";
import { loadOf, pidsOf, underTarget } from "./under-target.ts";

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
      const figures = await underTarget(target, options, (running, setting) =>
        measureRunning(running, setting, options),
      );
      console.error(`round ${round + 1} ${target.name}: ${JSON.stringify(figures)}`);
      (rounds[target.name] ??= []).push(figures);
    }
  }
  return Object.fromEntries(Object.entries(rounds).map(([name, all]) => [name, medians(all)]));
}

async function measureRunning(
  { programs }: RunningTarget,
  setting: BenchSetting,
  { secondsPerLoad: seconds, fortioProgram }: L4Options,
): Promise<L4Figures> {
  const pids = pidsOf(programs);
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

function rounded(value: number): number {
  return Math.round(value * 10) / 10;
}

async function idleConnectionCost(
  pids: readonly number[],
  load: LoadTarget,
  idleMB: number,
): Promise<number> {
  const connections = await openIdle(load, IDLE_CONNECTIONS);
  const withConnections = memoryMB(pids) / HOPS;
  await connections.close();
  return ((withConnections - idleMB) * 1024) / IDLE_CONNECTIONS;
}
