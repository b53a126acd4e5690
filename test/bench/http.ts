/**
 * The HTTP bench: weft beside an Envoy on both hops with the same features, interleaved in one run, through a
 * Service whose ports are HTTP/1.1 and gRPC; then what each feature adds. Medians over the rounds.
 *
 * The machine is shared: compare figures of one run only.
 */
import { until } from "../world/until.ts";
import { createBenchWorld } from "./bench-world.ts";
import type { HttpSetting, HttpTarget } from "./http-target.ts";
import { fortio, grpcCalls, type HttpLoadTarget, warmUp, wrk } from "./load.ts";
import { medians } from "./medians.ts";
import { startGrpcOrigin, startOrigin } from "./origin.ts";
import { cpuSeconds, memoryMB } from "./process-cost.ts";
import type { RunningTarget } from "./target.ts";
import { pidsOf } from "./under-target.ts";

export interface HttpFigures {
  /** CPU microseconds of both hops per request on 64 keep-alive connections of HTTP/1.1. */
  readonly http1Us: number;
  /** The same for each unary gRPC call. */
  readonly grpcUs: number;
  /** Per request with a connection of its own. */
  readonly newConnectionUs: number;
  /** At 1,000 requests a second. */
  readonly p50Us: number;
  readonly p99Us: number;
  /** For each node proxy. */
  readonly idleMB: number;
  readonly busyMB: number;
}

export interface HttpOptions {
  /** Takes what the targets write. */
  readonly folder: string;
  readonly targets: readonly HttpTarget[];
  readonly rounds: number;
  readonly secondsPerLoad: number;
  readonly fortioProgram: string;
}

const HOPS = 2;
const HTTP_PORT = 8080;
const GRPC_PORT = 8079;
const SERVICE_ADDRESS = "10.96.0.10";

export async function runHttp(
  options: HttpOptions,
): Promise<Readonly<Record<string, HttpFigures>>> {
  const { targets } = options;
  const rounds: Record<string, HttpFigures[]> = {};
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

async function measure(target: HttpTarget, options: HttpOptions): Promise<HttpFigures> {
  const { folder, fortioProgram } = options;
  const bench = createBenchWorld();
  const { world, client, server } = bench;
  const ports = { httpPort: HTTP_PORT, grpcPort: GRPC_PORT, serviceAddress: SERVICE_ADDRESS };
  const setting = { world, client, server, folder, ...ports };
  const origins = [
    startOrigin(folder, server.netns, HTTP_PORT),
    startGrpcOrigin({ folder, netns: server.netns, port: GRPC_PORT, program: fortioProgram }),
  ];
  const running = await target.start(setting);
  try {
    await untilAnswers(setting, fortioProgram);
    return await measureRunning(running, setting, options);
  } finally {
    await running.close();
    await Promise.all(origins.map((origin) => origin.stop("SIGKILL")));
    bench.remove();
  }
}

async function untilAnswers(setting: HttpSetting, program: string): Promise<void> {
  await until("answers through the target", async () => {
    const { http, grpc } = loadsOf(setting);
    const requests = await wrk(http, { connections: 1, seconds: 1, newConnections: false }).catch(
      () => 0,
    );
    const calls = await grpcCalls(grpc, program, 1).catch(() => 0);
    return requests > 0 && calls > 0 ? true : undefined;
  });
}

function loadsOf({ client, serviceAddress: address, httpPort, grpcPort }: HttpSetting) {
  const { netns } = client;
  const http: HttpLoadTarget = { netns, address, httpPort };
  return { http, grpc: { netns, address, grpcPort } };
}

async function measureRunning(
  { programs }: RunningTarget,
  setting: HttpSetting,
  { secondsPerLoad: seconds, fortioProgram }: HttpOptions,
): Promise<HttpFigures> {
  const pids = pidsOf(programs);
  const { http, grpc } = loadsOf(setting);
  async function cpuUsPer(work: () => Promise<number>): Promise<number> {
    const before = cpuSeconds(pids);
    const amount = await work();
    return rounded(((cpuSeconds(pids) - before) / amount) * 1e6);
  }
  const idleMB = memoryMB(pids) / HOPS;
  await warmUp(http, fortioProgram);
  await grpcCalls(grpc, fortioProgram, seconds);
  const http1Us = await cpuUsPer(() =>
    wrk(http, { connections: 64, seconds, newConnections: false }),
  );
  const grpcUs = await cpuUsPer(() => grpcCalls(grpc, fortioProgram, seconds));
  const newConnectionUs = await cpuUsPer(() =>
    wrk(http, { connections: 32, seconds, newConnections: true }),
  );
  const latency = await fortio(http, fortioProgram, seconds);
  return {
    http1Us,
    grpcUs,
    newConnectionUs,
    p50Us: rounded(latency.p50Us),
    p99Us: rounded(latency.p99Us),
    idleMB: rounded(idleMB),
    busyMB: rounded(memoryMB(pids) / HOPS),
  };
}

function rounded(value: number): number {
  return Math.round(value * 10) / 10;
}
