/** The shop's applications as processes in their pods' namespaces, and how the demo talks to them. */
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { type Program, startProgram } from "../world/program.ts";
import type { World, WorldPod } from "../world/world.ts";
import { API, API_NEXT, STORE } from "./manifests.ts";
import type { Ask, FromShop, Tally, ToShop } from "./shop-messages.ts";

/** By pod name; resolves once each says that it is ready. */
export async function startShop(
  world: World,
  folder: string,
): Promise<ReadonlyMap<string, Program>> {
  mkdirSync(join(folder, "logs"), { recursive: true });
  const programs = world.pods.map((pod) => startApplication(pod, folder));
  await Promise.all(programs.map((program) => answerOf(program, "ready")));
  return new Map(programs.map((program) => [program.name, program]));
}

function startApplication(pod: WorldPod, folder: string): Program {
  const role = pod.labels["app"] ?? "";
  const program = join(import.meta.dirname, "shop.ts");
  return startProgram({
    name: pod.name,
    logFile: join(folder, `logs/${pod.name}.log`),
    netns: pod.netns,
    channel: true,
    command: [
      process.execPath,
      program,
      role,
      pod.name,
      API.address,
      STORE.address,
      API_NEXT.address,
    ],
  });
}

/** Tells one of the shop's processes to do something; its answer comes by `answerOf`. */
export function tellShop(program: Program, message: ToShop): void {
  program.child.send(message);
}

/** One after the other, and what became of them. */
export async function requests(web: Program, count: number, ask: Ask = {}): Promise<Tally> {
  const answer = answerOf(web, "tally");
  tellShop(web, { kind: "requests", count, ask });
  return (await answer).tally;
}

/** The next message of that kind from the process; rejects when it ends instead. */
export function answerOf<K extends FromShop["kind"]>(
  { name, child }: Program,
  kind: K,
): Promise<Extract<FromShop, { kind: K }>> {
  return new Promise((resolve, reject) => {
    function take(message: FromShop): void {
      if (!isKind(message, kind)) return;
      child.off("message", take);
      child.off("exit", fail);
      resolve(message);
    }
    function fail(): void {
      reject(new Error(`${name} ended before it answered`));
    }
    child.on("message", take);
    child.once("exit", fail);
  });
}

function isKind<K extends FromShop["kind"]>(
  message: FromShop,
  kind: K,
): message is Extract<FromShop, { kind: K }> {
  return message.kind === kind;
}
