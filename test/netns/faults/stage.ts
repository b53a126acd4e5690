/** The running mesh of the fault story: its world and programs, and how each is killed, started and asked. */
import { once } from "node:events";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import type { ServiceWish } from "../../world/manifests.ts";
import { removeManifest, writeManifest } from "../../world/manifests.ts";
import {
  adminGet,
  type Confinement,
  type Mesh,
  readyPort,
  startMesh,
  startNodeProxy,
  startOperator,
  untilCaptured,
  untilConnected,
} from "../../world/mesh.ts";
import { type Program, startProgram } from "../../world/program.ts";
import { until } from "../../world/until.ts";
import type { PodWish, World, WorldNode, WorldPod } from "../../world/world.ts";
import type { FromLoad, Pace, Tally, Target, ToLoad } from "./load-messages.ts";
import type { FaultTime } from "./outcome.ts";
import { killTree, type Part, pidOf } from "./process-tree.ts";

const NAMESPACE = "shop";
const API: ServiceWish = { name: "api", address: "10.96.0.10", port: 80, targetPort: 8080 };
export const SERVICE: Target = { host: API.address, port: API.port };
const CALL_MS = 10_000;
/** A hanging process is noticed after eleven seconds. */
const HEALED_MS = 150_000;

export const POD_WISHES: readonly PodWish[] = [
  pod("web", "web", "node1"),
  pod("api-1", "api", "node1"),
  pod("api-2", "api", "node2"),
  pod("far", "web", "node2"),
];

function pod(name: string, app: string, node: string): PodWish {
  return { name, namespace: NAMESPACE, serviceAccount: app, labels: { app }, node };
}

/** A port of `app`'s that nobody may call. */
export function denyPort(app: string, port: number): object {
  return {
    apiVersion: "weft.dev/v1",
    kind: "AuthorizationPolicy",
    metadata: { name: `closed-${app}-${port}`, namespace: NAMESPACE },
    spec: {
      selector: { matchLabels: { app } },
      action: "DENY",
      rules: [{ to: [{ operation: { ports: [String(port)] } }] }],
    },
  };
}

interface Told {
  readonly kind: string;
  readonly name: string;
  readonly value: { readonly tunnel?: boolean };
}

export class FaultStage {
  readonly world: World;
  readonly folder: string;
  readonly #confinement: Confinement;
  readonly #pods = new Map<string, Program>();
  readonly #nodeProxies = new Map<string, Program>();
  #mesh: Mesh | undefined;
  #operator: Program | undefined;
  #asked = 0;

  constructor(world: World, folder: string, confinement: Confinement) {
    this.world = world;
    this.folder = folder;
    this.#confinement = confinement;
  }

  /** Resolves once every node tunnels to every pod and the policy rules: until then plaintext is right. */
  async begin(): Promise<void> {
    mkdirSync(join(this.folder, "logs"));
    for (const wish of this.world.pods) this.#pods.set(wish.name, this.#startPod(wish));
    await Promise.all([...this.#pods.values()].map((program) => answerOf(program, "ready")));
    this.#mesh = await startMesh(this.world, {
      folder: this.folder,
      services: [API],
      confinement: this.#confinement,
    });
    this.#operator = this.#mesh.operator;
    for (const [i, node] of this.world.nodes.entries()) {
      const proxy = this.#mesh.nodeProxies[i];
      if (proxy) this.#nodeProxies.set(node.name, proxy);
    }
    for (const node of this.world.nodes) {
      await until(`${node.name} to know every pod's tunnel`, async () =>
        (await this.tunnels(node)) ? true : undefined,
      );
    }
    await this.writePolicy("api", 9090);
    for (const name of ["api-1", "api-2"]) {
      await until(`the policy to rule at ${name}`, async () =>
        (await this.call("web", this.at(name, 9090))).startsWith("failed") ? true : undefined,
      );
    }
  }

  async close(): Promise<void> {
    const programs = [...this.#pods.values(), ...this.#nodeProxies.values()];
    if (this.#operator) programs.push(this.#operator);
    await Promise.all(programs.map((program) => program.stop("SIGKILL")));
    await this.#mesh?.close();
  }

  /** Whether the node would tunnel to every pod. */
  async tunnels(node: WorldNode): Promise<boolean> {
    const workloads = (await this.#resources(node)).filter(({ kind }) => kind === "workload");
    return workloads.length === POD_WISHES.length && workloads.every(({ value }) => value.tunnel);
  }

  /** The operator finds them. */
  write(name: string, objects: readonly object[]): void {
    writeManifest(join(this.folder, "manifests"), `${name}.yaml`, objects);
  }

  /** The operator finds them no more. */
  remove(name: string): void {
    removeManifest(join(this.folder, "manifests"), `${name}.yaml`);
  }

  /** Nobody may call that port of `app`'s. Resolves once the policy has reached every node that runs. */
  async writePolicy(app: string, port: number): Promise<void> {
    const name = `closed-${app}-${port}`;
    this.write(name, [denyPort(app, port)]);
    for (const node of this.world.nodes) {
      if (this.keeperOf(node).child.exitCode !== null) continue;
      if (this.keeperOf(node).child.signalCode !== null) continue;
      await until(`${name} on ${node.name}`, async () =>
        (await this.#resources(node)).some(
          (one) => one.kind === "policy" && one.name.includes(name),
        )
          ? true
          : undefined,
      );
    }
  }

  async call(name: string, target: Target): Promise<string> {
    const program = this.#pod(name);
    this.#asked += 1;
    const id = this.#asked;
    const answer = answerOf(program, "answer", (message) => message.id === id);
    program.child.send({ kind: "ask", id, target, patienceMs: CALL_MS } satisfies ToLoad);
    return (await answer).answer;
  }

  at(name: string, port: number): Target {
    const found = this.world.pods.find((one) => one.name === name);
    return { host: found?.address ?? "", port };
  }

  /** What `web` saw while `work` went on. */
  async underLoad(target: Target, work: () => Promise<void>, pace?: Pace): Promise<Tally> {
    const web = this.#pod("web");
    const forbidden = [this.at("api-1", 9090), this.at("api-2", 9090)];
    const start = { kind: "start", target, forbidden } as const;
    web.child.send((pace ? { ...start, pace } : start) satisfies ToLoad);
    await work();
    const tally = answerOf(web, "tally");
    web.child.send({ kind: "stop" } satisfies ToLoad);
    return (await tally).tally;
  }

  /** While under load: resolves once so many new connections have come to an end. */
  async reached(ended: number): Promise<void> {
    const web = this.#pod("web");
    const reached = answerOf(web, "reached");
    web.child.send({ kind: "reach", ended } satisfies ToLoad);
    await reached;
  }

  /** Sends the signal and resolves with its time, once another process has taken the place and serves. */
  async replacePart(node: WorldNode, part: Part, signal: NodeJS.Signals): Promise<FaultTime> {
    return this.#replace(node, [part], (pids) => {
      for (const pid of pids) process.kill(pid, signal);
    });
  }

  /** The same by whatever ends the process. */
  async losePart(
    node: WorldNode,
    part: Part,
    end: (pids: readonly number[]) => Promise<void>,
  ): Promise<FaultTime> {
    return this.#replace(node, [part], end);
  }

  /** SIGKILL, at once. */
  async replaceBoth(node: WorldNode): Promise<FaultTime> {
    return this.#replace(node, ["control", "traffic"], (pids) => {
      for (const pid of pids) process.kill(pid, "SIGKILL");
    });
  }

  async #replace(
    node: WorldNode,
    parts: readonly Part[],
    end: (pids: readonly number[]) => void | Promise<void>,
  ): Promise<FaultTime> {
    const keeper = this.keeperOf(node);
    const pids = await Promise.all(
      parts.map((part) => until(`${part} of ${node.name}`, () => pidOf(keeper, part))),
    );
    const fromMs = now();
    await end(pids);
    // On a busy machine a good deal later: what was accepted in between is torn, too.
    const untilMs = now();
    await until(
      `a new ${parts.join(" and ")} of ${node.name}`,
      () => {
        const next = parts.map((part) => pidOf(keeper, part));
        return next.every((pid, i) => pid !== undefined && pid !== pids[i]) ? true : undefined;
      },
      HEALED_MS,
    );
    await this.untilServing(node);
    return { fromMs, untilMs };
  }

  /** What waited has been answered then, before the next fault could tear it. */
  async untilServing(node: WorldNode): Promise<void> {
    await until(`${node.name} to be ready`, async () => {
      const { ok } = await fetch(`http://${node.address}:15021/readyz`);
      return ok ? true : undefined;
    });
    await untilCaptured(this.world, node);
    await this.#untilAnswered();
  }

  async #untilAnswered(): Promise<void> {
    const calls = [
      ["web", this.at("api-2", 8080)],
      ["far", this.at("api-1", 8080)],
    ] as const;
    for (const [name, target] of calls) {
      await until(`${name} to be answered`, async () => {
        const answer = await this.call(name, target);
        if (!answer.startsWith("api-")) throw new Error(answer);
        return true;
      });
    }
  }

  async killOperator(): Promise<void> {
    await this.#operator?.stop("SIGKILL");
  }

  /** Resolves once the nodes of these names have reached it. */
  async startOperator(names: readonly string[]): Promise<void> {
    this.#operator = startOperator(this.world, this.folder);
    await untilConnected(this.world, names);
  }

  async killNodeProxy(node: WorldNode): Promise<void> {
    const keeper = this.keeperOf(node);
    const exit = once(keeper.child, "exit");
    await killTree(keeper);
    await exit;
  }

  /** What runs in the pod dies, and is started again in the same pod. Resolves once it serves. */
  async restartApplication(name: string): Promise<void> {
    const wish = this.world.pods.find((one) => one.name === name);
    if (!wish) throw new Error(`no pod ${name}`);
    await this.#pod(name).stop("SIGKILL");
    const program = this.#startPod(wish);
    this.#pods.set(name, program);
    await answerOf(program, "ready");
  }

  /** What the deployed confinement puts before a node proxy's command. */
  get wrapper(): readonly string[] {
    return this.#confinement.wrapper;
  }

  async startNodeProxy(node: WorldNode, changes: Partial<Confinement> = {}): Promise<void> {
    const options = { folder: this.folder, confinement: { ...this.#confinement, ...changes } };
    this.#nodeProxies.set(node.name, startNodeProxy(this.world, node, options));
    await this.untilServing(node);
  }

  /**
   * Starts the next one beside the one that runs, and tells that to end once it is ready, as a DaemonSet with a surge
   * does. Resolves then, with the moment just before; `ended` once it has, with its last connection. Its admin endpoint is not asked afterwards.
   */
  async upgradeNodeProxy(
    node: WorldNode,
    generation: number,
  ): Promise<{ toldMs: number; ended: Promise<void> }> {
    const before = this.keeperOf(node);
    await this.#startNext(node, generation);
    return { toldMs: now(), ended: before.stop("SIGTERM") };
  }

  /** As when its pod is deleted: who is there is told to end, then the next one is started. Resolves once that is ready. */
  async succeedNodeProxy(node: WorldNode, generation: number): Promise<{ ended: Promise<void> }> {
    const ended = this.keeperOf(node).stop("SIGTERM");
    await this.#startNext(node, generation);
    return { ended };
  }

  /** Kills the next one as soon as it serves. Resolves with the time that took, once the one before serves again. */
  async loseNextNodeProxy(node: WorldNode, generation: number): Promise<FaultTime> {
    const before = this.keeperOf(node);
    await this.#startNext(node, generation);
    const fromMs = now();
    await this.killNodeProxy(node);
    const untilMs = now();
    this.#nodeProxies.set(node.name, before);
    await this.#untilAnswered();
    return { fromMs, untilMs };
  }

  async #startNext(node: WorldNode, generation: number): Promise<void> {
    const options = { folder: this.folder, confinement: this.#confinement, generation };
    this.#nodeProxies.set(node.name, startNodeProxy(this.world, node, options));
    await until(
      `the next node proxy of ${node.name} to be ready`,
      async () => {
        const { ok } = await fetch(`http://${node.address}:${readyPort(generation)}/readyz`);
        return ok ? true : undefined;
      },
      HEALED_MS,
    );
  }

  keeperOf(node: WorldNode): Program {
    const program = this.#nodeProxies.get(node.name);
    if (!program) throw new Error(`no node proxy on ${node.name}`);
    return program;
  }

  async #resources(node: WorldNode): Promise<readonly Told[]> {
    return (await adminGet<{ resources: readonly Told[] }>(node, "/snapshot")).resources;
  }

  #startPod({ name, netns, labels }: WorldPod): Program {
    const role = labels["app"] === "api" ? "server" : "client";
    return startProgram({
      name,
      netns,
      channel: true,
      logFile: join(this.folder, `logs/${name}.log`),
      command: [process.execPath, join(import.meta.dirname, "load.ts"), role, name],
    });
  }

  #pod(name: string): Program {
    const program = this.#pods.get(name);
    if (!program) throw new Error(`no pod ${name}`);
    return program;
  }
}

/** Comparable between the processes of one machine. */
export function now(): number {
  return performance.timeOrigin + performance.now();
}

function answerOf<K extends FromLoad["kind"]>(
  { name, child }: Program,
  kind: K,
  isMeant: (message: Extract<FromLoad, { kind: K }>) => boolean = () => true,
): Promise<Extract<FromLoad, { kind: K }>> {
  const { promise, resolve, reject } = Promise.withResolvers<Extract<FromLoad, { kind: K }>>();
  function take(message: FromLoad): void {
    if (message.kind !== kind) return;
    const answer = message as Extract<FromLoad, { kind: K }>;
    if (!isMeant(answer)) return;
    child.off("message", take).off("exit", fail);
    resolve(answer);
  }
  function fail(): void {
    reject(new Error(`${name} ended before it answered`));
  }
  child.on("message", take).once("exit", fail);
  return promise;
}
