/** What happens to a mesh around its own processes, each under load: what it costs, and that nothing goes past policy. */
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { sized } from "../../soak.ts";
import { createMemoryCgroup } from "../../world/memory-cgroup.ts";
import { accessLogFile, untilAway, untilConnected } from "../../world/mesh.ts";
import { until } from "../../world/until.ts";
import type { WorldNode } from "../../world/world.ts";
import {
  type AccessLine,
  type FaultTime,
  type LoadOutcome,
  loadOutcome,
} from "../faults/outcome.ts";
import { denyPort, type FaultStage, now, SERVICE } from "../faults/stage.ts";
import { churnPods } from "./churn.ts";
import type { TroubleOutcome } from "./outcome.ts";
import { SteppedClock } from "./stepped-clock.ts";

const CRASHES = sized(3, 20);
/** Within what leaves are dated back. */
const SMALL_STEPS = [2, -2, 0];
const MONTH_MINUTES = 30 * 24 * 60;
const ANSWERS_BETWEEN = 50;
/** How long a node is cut off: until the operator has noticed, else as long as a call waits. */
const UNTIL_NOTICED = sized(false, true);

export async function tellTrouble(stage: FaultStage): Promise<TroubleOutcome> {
  await stage.begin();
  return {
    isolated: await isolate(stage),
    outOfMemory: await runOutOfMemory(stage),
    crashLooping: await crash(stage),
    churn: await churnPods(stage),
    // Last: the node goes by another clock from then on.
    clock: await stepClock(stage),
  };
}

/** From operator and peers, both ways. */
async function isolate(stage: FaultStage): Promise<TroubleOutcome["isolated"]> {
  const far = farNode(stage);
  const faults: FaultTime[] = [];
  let seen = { within: "", forbiddenWithin: "", across: "" };
  const tally = await stage.underLoad(SERVICE, async () => {
    const fromMs = now();
    link(far, "nomaster");
    stage.write("closed-api-9091", [denyPort("api", 9091)]);
    const [within, forbiddenWithin, across] = await Promise.all([
      stage.call("far", stage.at("api-2", 8080)),
      stage.call("far", stage.at("api-2", 9090)),
      stage.call("web", stage.at("api-2", 8080)),
    ]);
    seen = { within, forbiddenWithin, across };
    if (UNTIL_NOTICED) await untilAway(stage.world, far.name);
    link(far, "master", "nodes");
    await untilConnected(stage.world, [far.name]);
    await stage.untilServing(far);
    faults.push({ fromMs, untilMs: now() });
  });
  const lateForbidden = await until("the policy that came meanwhile to rule", async () => {
    const answer = await stage.call("web", stage.at("api-2", 9091));
    return answer.startsWith("failed") ? answer : undefined;
  });
  return { ...seen, lateForbidden, load: loadOutcome(tally, faults) };
}

function link(node: WorldNode, ...change: readonly string[]): void {
  execFileSync("ip", ["link", "set", `link-${node.name}`, ...change]);
}

async function runOutOfMemory(stage: FaultStage): Promise<TroubleOutcome["outOfMemory"]> {
  const cgroup = createMemoryCgroup(`weft-trouble-${process.pid}-${Date.now()}`);
  const faults: FaultTime[] = [];
  try {
    const tally = await stage.underLoad(SERVICE, async () => {
      for (const node of stage.world.nodes) {
        const before = cgroup.kills;
        const time = await stage.losePart(node, "traffic", async ([pid = 0]) => {
          // Nothing more than it has.
          cgroup.limit(0);
          cgroup.enter(pid);
          await until("the kernel to want the memory", () => cgroup.kills > before || undefined);
        });
        faults.push(time);
      }
    });
    return { load: loadOutcome(tally, faults), kills: cgroup.kills };
  } finally {
    cgroup.remove();
  }
}

/** The one behind the far node, again and again: its callers there are refused meanwhile. */
async function crash(stage: FaultStage): Promise<LoadOutcome> {
  const faults: FaultTime[] = [];
  const tally = await stage.underLoad(SERVICE, async () => {
    for (let i = 1; i <= CRASHES; i += 1) {
      const fromMs = now();
      await stage.restartApplication("api-2");
      await stage.untilServing(farNode(stage));
      faults.push({ fromMs, untilMs: now() });
      await stage.reached(i * ANSWERS_BETWEEN);
    }
  });
  return loadOutcome(tally, faults);
}

async function stepClock(stage: FaultStage): Promise<TroubleOutcome["clock"]> {
  const far = farNode(stage);
  const clock = new SteppedClock(stage.folder);
  await clock.rule(stage, far);
  const steppedMinutes: number[] = [];
  const tally = await stage.underLoad(SERVICE, async () => {
    for (const minutes of SMALL_STEPS) {
      clock.step(minutes);
      steppedMinutes.push(await untilStepped(stage, far, minutes));
    }
  });
  clock.step(MONTH_MINUTES);
  const late = await until("leaves to look over", async () => {
    const answer = await stage.call("web", stage.at("api-2", 8080));
    return answer.startsWith("failed") ? answer : undefined;
  });
  const lateForbidden = await stage.call("web", stage.at("api-2", 9090));
  clock.step(0);
  await stage.untilServing(far);
  const healed = await stage.call("web", stage.at("api-2", 8080));
  return { small: loadOutcome(tally, []), steppedMinutes, late, lateForbidden, healed };
}

/** By the lines that its traffic process writes under load. */
async function untilStepped(stage: FaultStage, node: WorldNode, minutes: number): Promise<number> {
  return until(`${node.name}'s clock to step to ${minutes} minutes`, () => {
    const text = readFileSync(accessLogFile(stage.folder, node.name), "utf8");
    const [last = ""] = text.split("\n").slice(-2);
    const { time } = JSON.parse(last) as AccessLine;
    const seen = Math.round((Date.parse(time) - Date.now()) / 60_000);
    return seen === minutes ? seen : undefined;
  });
}

function farNode(stage: FaultStage): WorldNode {
  const node = stage.world.nodes[1];
  if (!node) throw new Error("the world has one node");
  return node;
}
