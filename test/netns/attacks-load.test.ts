/**
 * Attacks that go on and on, from a process of their own, while a pod calls another through the same node proxies: what
 * the attacks cost in memory and time, what the pod notices, and the code of each in the log.
 */
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import type { Server } from "node:net";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { sized } from "../soak.ts";
import { until } from "../world/until.ts";
import { APP_PORT, type AttackMesh, createAttackMesh } from "./attack-mesh.ts";
import type { Attack, Attacked, AttackKind, Window } from "./hostile/messages.ts";
import { listenInPod } from "./pod-network.ts";

/** Of an application that is not attacked: the other's queue of connections may well be full. */
const OTHER_PORT = 8081;
const PREFIX = "wt-aload";
const WINDOW_MS = sized(700, 5_000);
/** With and without the attack, in turns. */
const WINDOWS = sized(3, 7);
/** A machine that does something else meanwhile says nothing about small factors. */
const MAX_FACTOR = sized(500, 2);
/** Shorter ones are taken for as long: a scheduler's. */
const LEAST_P99_MS = sized(10, 1);
const HALF_OPEN = sized(2_500, 10_000);
/** Of the process with both node proxies, the application and the test itself. */
const MAX_GROWTH_BYTES = 300 << 20;
/** Of that process, for each tunnel that floods, until it is ended; with what the callers cost meanwhile. */
const MAX_FLOOD_CPU_MS = 1_000;
const TEST_MS = sized(300_000, 600_000);

const ATTACKS: readonly (readonly [AttackKind, string])[] = [
  ["rapid resets", "caller_gone"],
  ["PING", "http2_flood"],
  ["windows by SETTINGS", "http2_flood"],
  ["CONTINUATION", "http2_flood"],
  ["WINDOW_UPDATE", "http2_flood"],
  ["empty DATA", "http2_flood"],
  ["authorities of 64 KB", "http2_flood"],
  ["single octets", "connection_reset"],
  ["windows never opened", "connection_reset"],
  ["connections half open", "too_many_handshakes"],
];

let attacks: AttackMesh;
let caller: ChildProcess;
let server: Server;
let attacker: ChildProcess;
const children = new Set<ChildProcess>();

beforeAll(async () => {
  attacks = await createAttackMesh(PREFIX);
  for (let i = 1; i <= 64; i += 1) {
    const address = `fd77::a:${i.toString(16)}/64`;
    execFileSync("ip", ["-n", `${PREFIX}-node`, "addr", "add", address, "dev", "br0", "nodad"]);
  }
  const { a, b } = attacks.mesh.network;
  server = await listenInPod(b, { port: OTHER_PORT, family: 4 }, (socket) => {
    socket.on("error", () => undefined);
    socket.pipe(socket);
  });
  attacker = start(attacks.node.path, "attacker.ts", []);
  caller = start(a.path, "caller.ts", [b.v4, String(OTHER_PORT)]);
  await until("calls to be answered", async () => {
    await pause(WINDOW_MS);
    return (await windowOf()).calls > 0 ? true : undefined;
  });
});

afterAll(async () => {
  await Promise.all(
    [...children].map(async (child) => {
      const exit = once(child, "exit");
      child.kill("SIGKILL");
      await exit;
    }),
  );
  server.close();
  await attacks[Symbol.asyncDispose]();
});

function start(netns: string, program: string, args: readonly string[]): ChildProcess {
  const file = join(import.meta.dirname, "hostile", program);
  // Less urgent than whom it attacks: what is measured is not a race for the machine.
  const niceness = program === "attacker.ts" ? "10" : "0";
  const command = ["-n", niceness, "nsenter", `--net=${netns}`, process.execPath, file, ...args];
  const child = spawn("nice", command, { stdio: ["ignore", "inherit", "inherit", "ipc"] });
  children.add(child);
  child.once("exit", () => children.delete(child));
  return child;
}

/** Since the one before. */
async function windowOf(): Promise<Window> {
  const told = once(caller, "message") as Promise<[Window]>;
  caller.send("window");
  return (await told)[0];
}

async function measured(): Promise<Window> {
  await windowOf();
  await pause(WINDOW_MS);
  return windowOf();
}

/** Resolves once it is under way. */
async function attack(kind: AttackKind): Promise<void> {
  const { v4, v6 } = attacks.mesh.network.b;
  const message: Attack = {
    kind,
    host: kind === "connections half open" ? v6 : v4,
    appPort: APP_PORT,
    credentials: attacks.credentials(),
    connections: HALF_OPEN,
  };
  const underWay = once(attacker, "message");
  attacker.send(message);
  await underWay;
}

async function stop(): Promise<Attacked> {
  const told = once(attacker, "message") as Promise<[Attacked]>;
  attacker.send("stop");
  return (await told)[0];
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
}

for (const [kind, code] of ATTACKS) {
  test(
    `an attack that goes on, ${kind}: others are served, memory is bounded, the log says ${code}`,
    async () => {
      const known = attacks.mesh.b.ended.length;
      const before = process.memoryUsage().rss;
      let highest = before;
      const isCut = code === "http2_flood";
      let [begun, wrong, cpuMs] = [0, 0, 0];
      const [quiet, attacked]: [number[], number[]] = [[], []];
      for (let i = 0; i < WINDOWS; i += 1) {
        const calm = await measured();
        const cpu = process.cpuUsage();
        await attack(kind);
        const under = await measured();
        const { user, system } = process.cpuUsage(cpu);
        cpuMs += (user + system) / 1_000;
        highest = Math.max(highest, process.memoryUsage().rss);
        begun += (await stop()).begun;
        wrong += calm.wrong + under.wrong;
        quiet.push(calm.p99);
        attacked.push(under.p99);
      }
      await until(`${code} in the log`, () =>
        attacks.mesh.b.ended.slice(known).some(({ outcome }) => outcome.code === code)
          ? true
          : undefined,
      );
      const factor = median(attacked) / Math.max(LEAST_P99_MS, median(quiet));
      expect(begun).toBeGreaterThan(0);
      expect(wrong).toBe(0);
      expect(factor).toBeLessThanOrEqual(MAX_FACTOR);
      expect(cpuMs / begun).toBeLessThan(isCut ? MAX_FLOOD_CPU_MS : Infinity);
      expect(highest - before).toBeLessThan(MAX_GROWTH_BYTES);
    },
    TEST_MS,
  );
}
