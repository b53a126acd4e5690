/**
 * What a route, a retry policy, a check of tokens and a rate limit each add to a request: CPU of both hops, beside the
 * same request to a Service without any of them, in one mesh, turn by turn. Medians of the differences of each round.
 */
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync } from "node:fs";
import { join } from "node:path";
import { startMesh } from "../world/mesh.ts";
import { until } from "../world/until.ts";
import type { World } from "../world/world.ts";
import { type BenchWorld, createBenchWorld } from "./bench-world.ts";
import { type HttpFeature, type HttpFeatures, httpFeatures, ROUTED_BY } from "./http-features.ts";
import { wrk } from "./load.ts";
import { medians } from "./medians.ts";
import { startOrigin } from "./origin.ts";
import { cpuSeconds, killTrees } from "./process-cost.ts";
import { pidsOf } from "./under-target.ts";

export interface HttpAdds {
  /** CPU microseconds of both hops for each request more than without it. */
  readonly route: number;
  readonly retry: number;
  readonly jwt: number;
  readonly rateLimit: number;
}

export interface HttpAddsResult {
  readonly adds: HttpAdds;
  /** What they add it to. */
  readonly addsToUs: number;
}

export interface HttpAddsOptions {
  readonly folder: string;
  readonly rounds: number;
  readonly secondsPerLoad: number;
  readonly fortioProgram: string;
}

type PerRequest = Readonly<Record<HttpFeature["name"], number>>;

interface Measured extends HttpFeatures {
  readonly bench: BenchWorld;
  readonly pids: readonly number[];
}

const PORT = 8080;
/** Of node proxies in a world. */
const METRICS_PORT = 15020;
const CONNECTIONS = 64;
/** Rounds for each one that was asked for: each is short, so that the machine's moods meet all features alike. */
const TURNS = 5;

export async function runHttpAdds(options: HttpAddsOptions): Promise<HttpAddsResult> {
  const described = await httpFeatures();
  const { features } = described;
  const bench = createBenchWorld(features.map(({ service }) => service));
  const folder = mkdtempSync(join(options.folder, "adds-"));
  const origins = bench.servers.map(({ name, netns }) => {
    const own = join(folder, name);
    mkdirSync(own);
    return startOrigin(own, netns, PORT);
  });
  const services = features.map(({ service }, i) => {
    return {
      name: service,
      address: addressOf(i),
      port: PORT,
      targetPort: PORT,
      appProtocol: "http",
    };
  });
  const objects = features.flatMap((feature) => feature.objects);
  const mesh = await startMesh(bench.world, { folder, services, objects });
  try {
    await untilAllThere(described, bench, options.fortioProgram);
    const pids = pidsOf(mesh.nodeProxies);
    return await measureAll({ ...described, bench, pids }, options);
  } finally {
    killTrees(pidsOf(mesh.nodeProxies));
    await mesh.close();
    await Promise.all(origins.map((origin) => origin.stop("SIGKILL")));
    bench.remove();
  }
}

function addressOf(feature: number): string {
  return `10.96.0.${10 + feature}`;
}

async function untilAllThere(
  { features, token }: HttpFeatures,
  { client, world }: BenchWorld,
  program: string,
): Promise<void> {
  for (const [i, { name, probe }] of features.entries()) {
    const { path, isWithToken, shown, counted } = probe;
    const lines = [ROUTED_BY, ...(isWithToken ? [bearer(token)] : [])];
    const asked = [
      `--net=${client.netns}`,
      program,
      "curl",
      ...lines.flatMap((line) => ["-H", line]),
      `http://${addressOf(i)}:${PORT}${path}`,
    ];
    await until(`${name} in the way of requests`, async () => {
      const { stdout, stderr } = spawnSync("nsenter", asked, { encoding: "utf8" });
      const isShown = shown.test(`${stderr}${stdout}`);
      if (isShown && (!counted || counted.test(await callersMetrics(world)))) return true;
      throw new Error(`${stderr}${stdout}`);
    });
  }
}

async function callersMetrics({ nodes: [node] }: World): Promise<string> {
  const response = await fetch(`http://${node?.address}:${METRICS_PORT}/metrics`);
  return response.text();
}

async function measureAll(
  measured: Measured,
  { rounds, secondsPerLoad }: HttpAddsOptions,
): Promise<HttpAddsResult> {
  // What the first requests cost, for the compilers, is not what is asked for.
  await measureRound(measured, { round: 0, seconds: secondsPerLoad });
  const all: PerRequest[] = [];
  const seconds = Math.max(1, Math.round(secondsPerLoad / 3));
  for (let round = 0; round < rounds * TURNS; round += 1) {
    const figures = await measureRound(measured, { round, seconds });
    console.error(`adds, round ${round + 1}: ${JSON.stringify(figures)}`);
    all.push(figures);
  }
  const adds = medians(all.map(addsOf));
  return { adds, addsToUs: medians(all).plain };
}

function addsOf({ plain, route, retry, jwt, rateLimit }: PerRequest): HttpAdds {
  return {
    route: rounded(route - plain),
    retry: rounded(retry - plain),
    jwt: rounded(jwt - plain),
    rateLimit: rounded(rateLimit - plain),
  };
}

async function measureRound(
  { features, token, bench, pids }: Measured,
  { round, seconds }: { readonly round: number; readonly seconds: number },
): Promise<PerRequest> {
  const perRequest = { plain: 0, route: 0, retry: 0, jwt: 0, rateLimit: 0 };
  for (let turn = 0; turn < features.length; turn += 1) {
    // Another one begins each round, so that none always follows the same neighbour.
    const i = (turn + round) % features.length;
    const feature = features[i];
    if (!feature) continue;
    const target = { netns: bench.client.netns, address: addressOf(i), httpPort: PORT };
    const headers = [ROUTED_BY, bearer(token)];
    const before = cpuSeconds(pids);
    const load = { connections: CONNECTIONS, seconds, newConnections: false, headers };
    const requests = await wrk(target, load);
    perRequest[feature.name] = rounded(((cpuSeconds(pids) - before) / requests) * 1e6);
  }
  return perRequest;
}

function bearer(token: string): string {
  return `Authorization: Bearer ${token}`;
}

function rounded(value: number): number {
  return Math.round(value * 10) / 10;
}
