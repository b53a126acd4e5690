/**
 * The layer-4 bench: weft beside every peer whose binary is given, interleaved in one run, on two nodes
 * of network namespaces. Medians over the rounds; CPU and latency of both hops together.
 *
 * The machine is shared: compare figures of one run only.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { startProgram } from "../world/program.ts";
import { until } from "../world/until.ts";
import { bulk, fortio, type LoadTarget, wrk } from "./load.ts";
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
  /** For each node proxy. */
  readonly idleMB: number;
  readonly busyMB: number;
  /** For each idle connection and node proxy. */
  readonly idleConnectionKB: number;
}

export interface L4Options {
  readonly setting: BenchSetting;
  readonly targets: readonly BenchTarget[];
  readonly rounds: number;
  readonly secondsPerLoad: number;
  readonly fortioProgram: string;
}

const IDLE_CONNECTIONS = 1_000;
const HOPS = 2;

export async function runL4(options: L4Options): Promise<Readonly<Record<string, L4Figures>>> {
  const rounds: Record<string, L4Figures[]> = {};
  for (let round = 0; round < options.rounds; round += 1) {
    for (const target of options.targets) {
      const figures = await measure(target, options);
      console.error(`round ${round + 1} ${target.name}: ${JSON.stringify(figures)}`);
      (rounds[target.name] ??= []).push(figures);
    }
  }
  return Object.fromEntries(Object.entries(rounds).map(([name, all]) => [name, medians(all)]));
}

async function measure(target: BenchTarget, options: L4Options): Promise<L4Figures> {
  const { setting } = options;
  const running = await target.start(setting);
  const load: LoadTarget = {
    netns: setting.client.netns,
    address: setting.server.address,
    httpPort: setting.httpPort,
    bulkPort: setting.bulkPort,
  };
  try {
    await untilAnswers(load);
    return await measureRunning(running, load, options);
  } finally {
    await running.close();
  }
}

async function measureRunning(
  { programs }: RunningTarget,
  load: LoadTarget,
  { setting, secondsPerLoad: seconds, fortioProgram }: L4Options,
): Promise<L4Figures> {
  const pids = programs.map(({ child }) => child.pid ?? 0);
  const idleMB = memoryMB(pids) / HOPS;
  const idleConnectionKB = await idleConnectionCost(pids, load, idleMB);
  await wrk(load, { connections: 8, seconds: 1, newConnections: false });

  async function cpuPer<T extends number>(work: () => Promise<T>): Promise<number> {
    const before = cpuSeconds(pids);
    const amount = await work();
    return (cpuSeconds(pids) - before) / amount;
  }
  const keepalive = await cpuPer(() =>
    wrk(load, { connections: 64, seconds, newConnections: false }),
  );
  const fresh = await cpuPer(() => wrk(load, { connections: 32, seconds, newConnections: true }));
  const latency = await fortio(load, fortioProgram, seconds);
  const busyMB = memoryMB(pids) / HOPS;
  const server = startProgram({
    name: "iperf3",
    command: ["iperf3", "--server", "--one-off", `--port=${load.bulkPort}`],
    netns: setting.server.netns,
    logFile: join(setting.folder, "iperf3.log"),
  });
  await untilListening(setting.server.netns, load.bulkPort);
  try {
    const perByte = await cpuPer(() => bulk(load, seconds));
    return {
      keepaliveUs: rounded(keepalive * 1e6),
      newConnectionUs: rounded(fresh * 1e6),
      cpuSecondsPerGB: Math.round(perByte * 1e11) / 100,
      p50Us: rounded(latency.p50Us),
      p99Us: rounded(latency.p99Us),
      idleMB: rounded(idleMB),
      busyMB: rounded(busyMB),
      idleConnectionKB: rounded(idleConnectionKB),
    };
  } finally {
    await server.stop("SIGKILL");
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
