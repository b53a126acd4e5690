/** Tells the demo step by step on standard error, gathers the summary, and says whether all of it held. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { enterCommand } from "../world/isolate.ts";
import { writeManifest } from "../world/manifests.ts";
import { type Mesh, startMesh, startOperator, untilConnected } from "../world/mesh.ts";
import type { Program } from "../world/program.ts";
import type { World } from "../world/world.ts";
import { limitCustomers, retriesAndCanary } from "./http-steps.ts";
import { API, API_NEXT, CANARY_PERCENT, DENY_WEB, STORE } from "./manifests.ts";
import { startShop } from "./shop-programs.ts";
import {
  denyAndAllow,
  identitiesSeen,
  meetTheShop,
  rotateUnderLoad,
  type Stage,
  withoutOperator,
} from "./steps.ts";
import { brokenPromises, type Summary } from "./summary.ts";

export interface DemoOptions {
  readonly world: World;
  readonly folder: string;
  /** This process as the machine outside the demo's namespaces sees it. */
  readonly pid: number;
  readonly json: boolean;
  readonly keep: boolean;
}

/** Enough of each log to see why. */
const LOG_LINES = 12;
const LOG_COLUMNS = 400;
const DENY_FILE = "deny-web.yaml";

/** Resolves with the exit code. */
export async function runDemo(options: DemoOptions): Promise<number> {
  const { world, folder } = options;
  const startedMs = performance.now();
  say("two nodes, six pods, an operator and two node proxies");
  let mesh: Mesh | undefined;
  let shop: ReadonlyMap<string, Program> = new Map();
  try {
    shop = await startShop(world, folder);
    mesh = await startMesh(world, { folder, services: [API, API_NEXT, STORE] });
    const web = shop.get("web");
    if (!web) throw new Error("the shop has no web");
    const summary = await tell({ world, mesh, web }, startedMs);
    const broken = brokenPromises(summary);
    if (options.json) console.log(JSON.stringify(summary));
    for (const sentence of broken) say(`NOT AS TOLD: ${sentence}`);
    if (broken.length > 0) printLogs(folder);
    if (options.keep) await keepRunning(options);
    return broken.length === 0 ? 0 : 1;
  } catch (cause) {
    console.error(cause);
    printLogs(folder);
    return 1;
  } finally {
    await Promise.all([...shop.values()].map((program) => program.stop("SIGKILL")));
    await mesh?.close();
  }
}

async function tell(stage: Stage, startedMs: number): Promise<Summary> {
  say(`all pods captured after ${seconds(startedMs)} s`);
  const { tally, wire } = await meetTheShop(stage);
  const replicaCounts = Object.entries(tally.replicas)
    .sort(([a], [b]) => a.localeCompare(b))
    .map(([, count]) => count);
  say(
    `web → api → store: ${tally.requests} requests, ${tally.failed} failed${tally.failed > 0 ? ` ${JSON.stringify(tally.errors)}` : ""}`,
  );
  say(
    `  answered by ${JSON.stringify(tally.replicas)}; the store's greeting came first ${tally.greetings} times`,
  );
  say(
    `  on the wire between the nodes: ${wire.tlsBytes} bytes TLS, ${wire.otherBytes} bytes not, in ${wire.flows} flows`,
  );
  const identities = identitiesSeen(stage);
  say(`  ${identities.client || "nobody"} called ${identities.server || "nobody"}`);
  const denied = await denyAndAllow(stage);
  say(
    `DENY written: refused after ${denied.denyAppliedMs} ms, the open connection closed after ${denied.closedAfterMs} ms`,
  );
  const rotation = await rotateUnderLoad(stage);
  say(
    `${rotation.rotations} certificates rotated under ${rotation.requests} requests: ${rotation.failed} failed`,
  );
  const routed = await retriesAndCanary(stage);
  const { retry, canary } = routed;
  say(
    `one replica fails at /stock: ${retry.failedWithout} of ${retry.requests} requests failed, ${retry.failed} of ${retry.requests} once a route retries them`,
  );
  say(
    `canary at ${CANARY_PERCENT} %: ${canary.next} of ${canary.requests} requests went to api-next, ${canary.failed} failed`,
  );
  const rateLimit = await limitCustomers(stage);
  say(
    `rate limit: of a customer's ${rateLimit.requests} requests ${rateLimit.answered} were answered, ${rateLimit.limited} got 429`,
  );
  const operatorDown = await withoutOperator(stage);
  say(`operator killed: ${operatorDown.requests} requests, ${operatorDown.failed} failed`);
  return {
    wireEncrypted: wire.tlsBytes > 0 && wire.otherBytes === 0 && !wire.sawText,
    identities,
    replicaCounts,
    denyAppliedMs: denied.denyAppliedMs,
    openConnectionClosed: denied.openConnectionClosed,
    rotation,
    operatorDown,
    ...routed,
    rateLimit,
    serverFirst: tally.greetings > 0 && tally.greetings === tally.requests - tally.failed,
    seconds: Number(seconds(startedMs)),
  };
}

function seconds(sinceMs: number): string {
  return ((performance.now() - sinceMs) / 1000).toFixed(1);
}

function say(text: string): void {
  console.error(text);
}

/** What a person needs to find out why: the last lines of every program. */
function printLogs(folder: string): void {
  const logs = join(folder, "logs");
  for (const file of readdirSync(logs).filter((name) => !name.startsWith("access-"))) {
    const lines = readFileSync(join(logs, file), "utf8")
      .trimEnd()
      .split("\n")
      .slice(-LOG_LINES)
      .map((line) => line.slice(0, LOG_COLUMNS));
    say(`--- ${file}\n${lines.join("\n")}`);
  }
}

/** With a new operator, the last step having killed the first. */
async function keepRunning({ world, folder, pid }: DemoOptions): Promise<void> {
  startOperator(world, folder);
  await untilConnected(
    world,
    world.nodes.map(({ name }) => name),
  );
  const manifests = join(folder, "manifests");
  writeManifest(folder, DENY_FILE, [DENY_WEB]);
  const enter = enterCommand(pid);
  const inWeb = `${enter} nsenter --net=/run/netns/web`;
  say(`
it keeps running; Ctrl-C ends it and everything it made. From another terminal:
  ${inWeb} curl -s http://${API.address}/price
  ${inWeb} iptables-save
  ${enter} curl -s http://10.99.0.1:15000/connections
  ${enter} curl -s http://${world.hostAddress}:15014/status
a policy to try, and to take away again:
  cp ${join(folder, DENY_FILE)} ${manifests}/
  rm ${join(manifests, DENY_FILE)}
logs: ${join(folder, "logs")}`);
  await new Promise<never>(() => {
    setInterval(() => undefined, 1 << 30);
  });
}
