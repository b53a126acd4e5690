/** SIGKILLs of a node proxy's processes under a steady load of new connections, each with the time to the next answer. */
import { sized } from "../../soak.ts";
import type { WorldNode } from "../../world/world.ts";
import type { Tally } from "../faults/load-messages.ts";
import { type FaultTime, type LoadOutcome, loadOutcome } from "../faults/outcome.ts";
import { type FaultStage, now } from "../faults/stage.ts";
import type { Restart, RestartOutcome } from "./outcome.ts";
import { measureSlowness } from "./slowness.ts";

/** Fewer where the machine cannot carry them. */
const PER_SECOND = 500;
/** Alternating between the callers' node and the called pod's. */
const KILLS = sized(4, 40);
/** A process that is killed still accepts until the kernel gets to it. */
const DYING_MS = 50;
const KILLS_OF_BOTH = sized(2, 20);

/** Something that is killed; `fromMs` is when new connections could be answered at the earliest. */
interface Kill {
  readonly node: string;
  readonly fromMs: number;
  /** Where it ends only with the recovery: without an end. */
  readonly broken: Pick<FaultTime, "fromMs"> & Partial<FaultTime>;
  readonly slowness: number;
}

export async function tellRestarts(stage: FaultStage): Promise<RestartOutcome> {
  await stage.begin();
  const traffic = await measured(stage, KILLS, (node) =>
    stage.replacePart(node, "traffic", "SIGKILL"),
  );
  await stage.killOperator();
  const both = await measured(stage, KILLS_OF_BOTH, (node) => stage.replaceBoth(node));
  const container = await restartContainer(stage);
  const [containerKilled] = container.restarts;
  if (!containerKilled) throw new Error("nothing was killed");
  return {
    trafficKilled: traffic.restarts,
    traffic: traffic.load,
    bothKilled: both.restarts,
    both: both.load,
    containerKilled,
    container: container.load,
  };
}

interface Measured {
  readonly restarts: readonly Restart[];
  readonly load: LoadOutcome;
}

/** `kill` resolves with its time, once the node is whole again. */
async function measured(
  stage: FaultStage,
  kills: number,
  kill: (node: WorldNode) => Promise<FaultTime>,
): Promise<Measured> {
  const done: Kill[] = [];
  const tally = await stage.underLoad(
    stage.at("api-2", 8080),
    async () => {
      for (let i = 0; i < kills; i += 1) {
        const node = stage.world.nodes[i % 2];
        if (!node) continue;
        const slowness = measureSlowness();
        const { fromMs, untilMs } = await kill(node);
        const slower = Math.max(slowness, measureSlowness());
        const broken = { fromMs, untilMs: untilMs + DYING_MS };
        done.push({ node: node.name, fromMs: untilMs, broken, slowness: slower });
      }
    },
    { perSecond: PER_SECOND, atOnce: PER_SECOND },
  );
  return judged(tally, done);
}

async function restartContainer(stage: FaultStage): Promise<Measured> {
  const done: Kill[] = [];
  const tally = await stage.underLoad(
    stage.at("api-2", 8080),
    async () => {
      const node = stage.world.nodes[1];
      if (!node) return;
      const slowness = measureSlowness();
      const broken = { fromMs: now() };
      await stage.killNodeProxy(node);
      const fromMs = now();
      await stage.startNodeProxy(node);
      const slower = Math.max(slowness, measureSlowness());
      done.push({ node: node.name, fromMs, broken, slowness: slower });
    },
    { perSecond: PER_SECOND, atOnce: PER_SECOND },
  );
  return judged(tally, done);
}

function judged(tally: Tally, kills: readonly Kill[]): Measured {
  const restarts = kills.map(({ node, fromMs, slowness }) => {
    const answered = tally.answers
      .filter(([startedMs]) => startedMs > fromMs)
      .map(([, atMs]) => atMs);
    if (answered.length === 0) throw new Error(`${node}: nothing was answered any more`);
    return { node, slowness, recoveredMs: answered.reduce((a, b) => Math.min(a, b)) - fromMs };
  });
  const faults = kills.map(({ broken, fromMs }, i) => ({
    fromMs: broken.fromMs,
    untilMs: broken.untilMs ?? fromMs + (restarts[i]?.recoveredMs ?? 0),
  }));
  return { restarts, load: loadOutcome(tally, faults) };
}
