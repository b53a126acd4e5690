/**
 * How does the CPU for a request and for a new connection grow with connections that are open beside them, and with the
 * worker threads of weft's node proxies?
 *
 * The load is the same each time, that of the layer-4 bench. Medians; compare figures of one run only.
 */
import { openIdle } from "./idle-connections.ts";
import { type LoadTarget, warmUp, wrk } from "./load.ts";
import { medians } from "./medians.ts";
import { cpuSeconds } from "./process-cost.ts";
import type { BenchTarget, RunningTarget } from "./target.ts";
import { loadOf, type Place, pidsOf, underTarget } from "./under-target.ts";
import { weftTarget } from "./weft-target.ts";

export interface ScalingFigures {
  readonly keepaliveUs: number;
  readonly newConnectionUs: number;
}

type Measured<Name extends string> = Readonly<Record<Name, ScalingFigures>>;

export interface Scaling {
  /** By target, then by number of open connections. */
  readonly openConnections: Readonly<Record<string, Measured<string>>>;
  /** Of weft, by number of worker threads; 0 is the traffic process's own. */
  readonly workers: Measured<string>;
}

export interface ScalingOptions extends Place {
  readonly targets: readonly BenchTarget[];
  readonly workers: readonly number[];
  readonly rounds: number;
  readonly secondsPerLoad: number;
  readonly fortioProgram: string;
}

const OPEN_CONNECTIONS = [1, 100, 10_000] as const;

export async function runScaling(options: ScalingOptions): Promise<Scaling> {
  const { targets, workers, rounds } = options;
  const openConnections: Record<string, Measured<string>> = {};
  for (const target of targets) {
    openConnections[target.name] = await underTarget(target, options, async (running, setting) => {
      const load = loadOf(setting);
      await warmUp(load, options.fortioProgram);
      return interleaved(OPEN_CONNECTIONS, rounds, async (count) => {
        const idle = await openIdle(load, count);
        const figures = await measure(running, load, options);
        await idle.close();
        console.error(`${target.name}, ${count} open: ${JSON.stringify(figures)}`);
        return figures;
      });
    });
  }
  // With targets of their own: the number of threads is given at the start.
  const byWorkers = await interleaved(workers, rounds, (count) => withWorkers(count, options));
  return { openConnections, workers: byWorkers };
}

async function withWorkers(count: number, options: ScalingOptions): Promise<ScalingFigures> {
  const target = weftTarget({ flags: [`--workers=${count}`] });
  return underTarget(target, options, async (running, setting) => {
    const load = loadOf(setting);
    await warmUp(load, options.fortioProgram);
    const figures = await measure(running, load, options);
    console.error(`weft, ${count} workers: ${JSON.stringify(figures)}`);
    return figures;
  });
}

/** All sizes in turn, and that again: what else the machine does meets each of them. */
async function interleaved(
  sizes: readonly number[],
  rounds: number,
  measureAt: (size: number) => Promise<ScalingFigures>,
): Promise<Measured<string>> {
  const all = new Map<number, ScalingFigures[]>(sizes.map((size) => [size, []]));
  for (let round = 0; round < rounds; round += 1) {
    for (const [size, figures] of all) figures.push(await measureAt(size));
  }
  return Object.fromEntries([...all].map(([size, figures]) => [size, medians(figures)]));
}

async function measure(
  { programs }: RunningTarget,
  load: LoadTarget,
  { secondsPerLoad: seconds }: ScalingOptions,
): Promise<ScalingFigures> {
  const pids = pidsOf(programs);
  async function cpuUs(work: () => Promise<number>): Promise<number> {
    const before = cpuSeconds(pids);
    const requests = await work();
    return Math.round(((cpuSeconds(pids) - before) * 1e7) / requests) / 10;
  }
  return {
    keepaliveUs: await cpuUs(() => wrk(load, { connections: 64, seconds, newConnections: false })),
    newConnectionUs: await cpuUs(() =>
      wrk(load, { connections: 32, seconds, newConnections: true }),
    ),
  };
}
