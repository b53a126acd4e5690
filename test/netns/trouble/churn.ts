/**
 * Pods that come and go at the same addresses, in turn of an identity that may call and of one that may not: each asks
 * from its first moment to its last.
 */
import { execFile } from "node:child_process";
import { setTimeout as delay } from "node:timers/promises";
import { promisify } from "node:util";
import { sized } from "../../soak.ts";
import type { WorldNode } from "../../world/world.ts";
import { CorruptError, nameIn, newNonce, questionOf } from "../faults/checked-text.ts";
import type { Target } from "../faults/load-messages.ts";
import { loadOutcome } from "../faults/outcome.ts";
import { type FaultStage, now, SERVICE } from "../faults/stage.ts";
import type { ChurnOutcome } from "./outcome.ts";

/** At once. */
const PLACES = sized(6, 250);
/** One after the other at each place. */
const GENERATIONS = sized(3, 10);
/** Fewer where the machine cannot carry them. */
const PODS_PER_SECOND = sized(10, 50);
/** Of one that may not call. */
const TRIES = 3;
/** Until it gives up; it has to be captured before. */
const PATIENCE_MS = 120_000;
const CALL_SECONDS = 10;
/** Above what the world gives its own pods. */
const FIRST_ADDRESS = 100;
/** What comes back within the time, to one question. */
const SCRIPT = `exec 3<>/dev/tcp/$1/$2 && printf '%s' "$3" >&3 && IFS= read -r -t ${CALL_SECONDS} line <&3 && printf '%s\\n' "$line"`;
const run = promisify(execFile);

interface Churning {
  readonly stage: FaultStage;
  readonly counts: {
    pods: number;
    answered: number;
    forbiddenTried: number;
    readonly unanswered: string[];
    readonly corrupt: string[];
    readonly forbiddenAnswered: string[];
  };
  readonly begunMs: number;
}

interface ChurningPod {
  readonly name: string;
  readonly place: number;
  /** Of its namespace, in the node's. */
  readonly link: string;
  readonly uid: string;
  readonly address: string;
  readonly node: WorldNode;
  readonly mayCall: boolean;
}

export async function churnPods(stage: FaultStage): Promise<ChurnOutcome> {
  stage.write("identities-that-may", [allowWeb()]);
  const churning: Churning = {
    stage,
    counts: {
      pods: 0,
      answered: 0,
      forbiddenTried: 0,
      unanswered: [],
      corrupt: [],
      forbiddenAnswered: [],
    },
    begunMs: now(),
  };
  const tally = await stage.underLoad(SERVICE, async () => {
    const places = Array.from({ length: PLACES }, (_, place) => churnPlace(churning, place));
    await Promise.all(places);
  });
  stage.remove("identities-that-may");
  const seconds = (now() - churning.begunMs) / 1_000;
  const { pods } = churning.counts;
  return { ...churning.counts, perSecond: pods / seconds, load: loadOutcome(tally, []) };
}

/** Of those of the churn, only the ones with this identity. */
function allowWeb(): object {
  return {
    apiVersion: "weft.dev/v1",
    kind: "AuthorizationPolicy",
    metadata: { name: "identities-that-may", namespace: "shop" },
    spec: {
      selector: { matchLabels: { app: "api" } },
      action: "ALLOW",
      rules: [{ from: [{ source: { serviceAccounts: ["web"] } }] }],
    },
  };
}

async function churnPlace(churning: Churning, place: number): Promise<void> {
  for (let generation = 0; generation < GENERATIONS; generation += 1) {
    const turn = generation * PLACES + place;
    const dueMs = churning.begunMs + (turn / PODS_PER_SECOND) * 1_000;
    await delay(Math.max(0, dueMs - now()));
    const pod = podOf(churning.stage, place, generation);
    await addNetwork(pod);
    churning.stage.write(pod.name, [podObject(pod)]);
    await (pod.mayCall ? askUntilAnswered(churning, pod) : askInVain(churning, pod));
    churning.stage.remove(pod.name);
    await ipIn(pod.node.name, [`link del ${pod.link}`]);
    await run("ip", ["netns", "del", pod.name]);
    churning.counts.pods += 1;
  }
}

function podOf(stage: FaultStage, place: number, generation: number): ChurningPod {
  const index = place % stage.world.nodes.length;
  const node = stage.world.nodes[index];
  if (!node) throw new Error("the world has no nodes");
  const digits = `${place * 1_000 + generation}`.padStart(12, "0");
  return {
    name: `churn-${place}-${generation}`,
    link: `churn${place}-${generation}`,
    place,
    uid: `00000000-0000-4000-9000-${digits}`,
    address: `10.244.${index + 1}.${FIRST_ADDRESS + Math.floor(place / stage.world.nodes.length)}`,
    node,
    mayCall: (place + generation) % 2 === 0,
  };
}

async function addNetwork({ name, link, node, address }: ChurningPod): Promise<void> {
  await run("ip", ["netns", "add", name]);
  await ipIn(node.name, [
    `link add ${link} type veth peer name eth0 netns ${name}`,
    `link set ${link} master pods up`,
  ]);
  await ipIn(name, [
    "link set lo up",
    `addr add ${address}/24 dev eth0`,
    "link set eth0 up",
    `route add default via ${node.gateway}`,
  ]);
}

async function ipIn(netns: string, lines: readonly string[]): Promise<void> {
  const running = run("ip", ["-netns", netns, "-batch", "-"]);
  running.child.stdin?.end(`${lines.join("\n")}\n`);
  await running;
}

function podObject({ name, uid, address, node, mayCall }: ChurningPod): object {
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: {
      name,
      namespace: "shop",
      uid,
      labels: { app: "churn" },
      annotations: { "weft.dev/netns": `/run/netns/${name}` },
    },
    spec: {
      nodeName: node.name,
      serviceAccountName: mayCall ? "web" : "stranger",
      containers: [],
    },
    status: { phase: "Running", podIP: address, podIPs: [{ ip: address }] },
  };
}

async function askUntilAnswered({ stage, counts }: Churning, pod: ChurningPod): Promise<void> {
  const endMs = now() + PATIENCE_MS;
  for (let i = 0; now() < endMs; i += 1) {
    const name = await ask(counts.corrupt, pod, targetOf(stage, pod, i));
    if (name === undefined) continue;
    counts.answered += 1;
    return;
  }
  counts.unanswered.push(pod.name);
}

async function askInVain({ stage, counts }: Churning, pod: ChurningPod): Promise<void> {
  for (let i = 0; i < TRIES; i += 1) {
    counts.forbiddenTried += 1;
    const name = await ask(counts.corrupt, pod, targetOf(stage, pod, i));
    if (name !== undefined) counts.forbiddenAnswered.push(`${pod.name} by ${name}`);
  }
}

/** The near one and the far one in turn; nobody knows a Service's address in a pod that is not captured yet. */
function targetOf(stage: FaultStage, { place }: ChurningPod, i: number): Target {
  return stage.at((place + i) % 2 === 0 ? "api-1" : "api-2", 8080);
}

/** The name of who answered; `undefined` where nobody did. */
async function ask(
  corrupt: string[],
  { name }: ChurningPod,
  { host, port }: Target,
): Promise<string | undefined> {
  const nonce = newNonce();
  const script = ["bash", "-c", SCRIPT, "ask", host, String(port), questionOf(nonce)];
  try {
    const command = ["netns", "exec", name, "timeout", String(CALL_SECONDS), ...script];
    const { stdout } = await run("ip", command);
    return nameIn(stdout, nonce);
  } catch (error) {
    if (error instanceof CorruptError) corrupt.push(`${name}: ${error.message}`);
    return undefined;
  }
}
