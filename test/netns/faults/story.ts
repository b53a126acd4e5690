/** The faults in their order, each measured: which part is killed, and what its callers notice. */
import { execFileSync } from "node:child_process";
import { readFileSync, rmSync } from "node:fs";
import { accessLogFile, runDir } from "../../world/mesh.ts";
import { createWireTap } from "../../world/wire-tap.ts";
import type { WorldNode } from "../../world/world.ts";
import { SECRET } from "./load-messages.ts";
import {
  type AccessLine,
  type FaultTime,
  type LoadOutcome,
  loadOutcome,
  type Outcome,
} from "./outcome.ts";
import { type Part, pidOf, rightsOf } from "./process-tree.ts";
import { type FaultStage, now, SERVICE } from "./stage.ts";

const KILLS = 4;
/** Nobody takes over: it serves its pods to the end of that. */
const SHORTEST_GRACE_SECONDS = "10";

export async function tellFaults(stage: FaultStage): Promise<Outcome> {
  await stage.begin();
  const tap = createWireTap({
    interfaceName: "link-node1",
    addressPrefix: "10.244.",
    text: SECRET,
  });
  const traffic = stage.world.nodes.map((node) =>
    rightsOf(pidOf(stage.keeperOf(node), "traffic") ?? 0),
  );
  const outcome = {
    traffic,
    controlKilled: await killPart(stage, "control"),
    trafficKilled: await killPart(stage, "traffic"),
    trafficStopped: await stopTraffic(stage),
    ...(await killOperator(stage)),
    operatorAlone: await restartOperatorAlone(stage),
    nodeProxyKilled: await killNodeProxy(stage, async () => undefined),
    memoryLost: await killNodeProxy(stage, async (node) =>
      rmSync(runDir(stage.folder, node.name), { recursive: true }),
    ),
    stopped: await stopNodeProxy(stage),
    successorLost: await loseSuccessor(stage),
    upgraded: await upgradeNodeProxies(stage, [2, 3]),
    upgradedAlone: await upgradeWithoutOperator(stage),
    toldToEnd: await succeedNodeProxies(stage, 5),
  };
  // Lines of open connections are written when these end.
  await stage.close();
  return { ...outcome, wire: tap.finish(), untunnelled: findUntunnelled(stage) };
}

async function killPart(stage: FaultStage, part: Part): Promise<LoadOutcome> {
  const faults: FaultTime[] = [];
  const tally = await stage.underLoad(SERVICE, async () => {
    for (let i = 0; i < KILLS; i += 1) {
      const node = stage.world.nodes[i % 2];
      if (node) faults.push(await stage.replacePart(node, part, "SIGKILL"));
    }
  });
  return loadOutcome(tally, faults);
}

/** What it holds ends with it, when it is ended for hanging; what is new waits for its successor. */
async function stopTraffic(stage: FaultStage): Promise<LoadOutcome> {
  const faults: FaultTime[] = [];
  const tally = await stage.underLoad(SERVICE, async () => {
    const [node] = stage.world.nodes;
    if (!node) return;
    faults.push(await stage.replacePart(node, "traffic", "SIGSTOP"));
  });
  return loadOutcome(tally, faults);
}

/** Right after a policy has come, so that the nodes' last snapshots do not hold it. */
async function killOperator(
  stage: FaultStage,
): Promise<Pick<Outcome, "operatorKilled" | "lateForbidden">> {
  const { nodes } = stage.world;
  const lateForbidden: string[] = [];
  const tally = await stage.underLoad(SERVICE, async () => {
    await stage.writePolicy("api", 9091);
    await stage.killOperator();
    await Promise.all(nodes.map((node) => stage.replacePart(node, "control", "SIGKILL")));
    for (const name of ["api-1", "api-2"]) {
      lateForbidden.push(await stage.call("web", stage.at(name, 9091)));
    }
    await stage.startOperator(nodes.map(({ name }) => name));
    for (const node of nodes) await stage.replacePart(node, "control", "SIGKILL");
  });
  return { operatorKilled: loadOutcome(tally, []), lateForbidden };
}

/** The policy, which only the new operator can have sent, proves that what the node holds is its. */
async function restartOperatorAlone(stage: FaultStage): Promise<Outcome["operatorAlone"]> {
  const [near, far] = stage.world.nodes;
  if (!near || !far) throw new Error("the world has fewer than two nodes");
  await stage.killNodeProxy(far);
  await stage.killOperator();
  await stage.startOperator([near.name]);
  await stage.writePolicy("web", 9091);
  const outcome = {
    tunnelsKept: await stage.tunnels(near),
    to: await stage.call("web", stage.at("api-2", 8080)),
  };
  await stage.startNodeProxy(far);
  return outcome;
}

/** Load on the one pod behind it. `meanwhile` while nothing of it runs. */
async function killNodeProxy(
  stage: FaultStage,
  meanwhile: (node: WorldNode) => Promise<void>,
): Promise<LoadOutcome> {
  const node = farNode(stage);
  const faults: FaultTime[] = [];
  const tally = await stage.underLoad(stage.at("api-2", 8080), async () => {
    const fromMs = now();
    await stage.killNodeProxy(node);
    await meanwhile(node);
    await stage.startNodeProxy(node);
    faults.push({ fromMs, untilMs: now() });
  });
  return loadOutcome(tally, faults);
}

async function stopNodeProxy(stage: FaultStage): Promise<Outcome["stopped"]> {
  const node = farNode(stage);
  await stage.killNodeProxy(node);
  await stage.startNodeProxy(node, { graceSeconds: SHORTEST_GRACE_SECONDS });
  const keeper = stage.keeperOf(node);
  await keeper.stop("SIGTERM");
  const rules = execFileSync("ip", ["netns", "exec", "api-2", "iptables-save"]).toString();
  const outcome = {
    exitCode: keeper.child.exitCode,
    rules: rules.split("\n").filter((line) => line.includes("REDIRECT")).length,
    to: await stage.call("web", stage.at("api-2", 8080)),
  };
  await stage.startNodeProxy(node);
  return { ...outcome, startedAgain: await stage.call("web", stage.at("api-2", 8080)) };
}

async function loseSuccessor(stage: FaultStage): Promise<LoadOutcome> {
  const faults: FaultTime[] = [];
  const tally = await stage.underLoad(stage.at("api-2", 8080), async () => {
    faults.push(await stage.loseNextNodeProxy(farNode(stage), 1));
  });
  return loadOutcome(tally, faults);
}

/** Each node once for each generation, one after the other. */
async function upgradeNodeProxies(
  stage: FaultStage,
  generations: readonly number[],
): Promise<LoadOutcome> {
  const ends: Promise<void>[] = [];
  const tally = await stage.underLoad(SERVICE, async () => {
    for (const generation of generations) {
      for (const node of stage.world.nodes) {
        ends.push((await stage.upgradeNodeProxy(node, generation)).ended);
      }
    }
  });
  await Promise.all(ends);
  return loadOutcome(tally, []);
}

/** Each is told to end before its next one is started, and lets nobody wait. */
async function succeedNodeProxies(stage: FaultStage, generation: number): Promise<LoadOutcome> {
  const ends: Promise<void>[] = [];
  const tally = await stage.underLoad(SERVICE, async () => {
    for (const node of stage.world.nodes) {
      ends.push((await stage.succeedNodeProxy(node, generation)).ended);
    }
  });
  await Promise.all(ends);
  return loadOutcome(tally, []);
}

async function upgradeWithoutOperator(stage: FaultStage): Promise<LoadOutcome> {
  await stage.killOperator();
  const outcome = await upgradeNodeProxies(stage, [4]);
  await stage.startOperator(stage.world.nodes.map(({ name }) => name));
  return outcome;
}

function findUntunnelled(stage: FaultStage): readonly AccessLine[] {
  const lines = stage.world.nodes.flatMap((node) =>
    readFileSync(accessLogFile(stage.folder, node.name), "utf8")
      .split("\n")
      // A process that was killed may leave half a line.
      .filter((line) => line.endsWith("}"))
      .map((line) => JSON.parse(line) as AccessLine),
  );
  if (lines.length === 0) throw new Error("the access logs are empty");
  return lines.filter(
    ({ direction, tunnelled, bytesReceived }) =>
      direction === "inbound" && !tunnelled && bytesReceived > 0,
  );
}

function farNode(stage: FaultStage): WorldNode {
  const node = stage.world.nodes[1];
  if (!node) throw new Error("the world has one node");
  return node;
}
