/** Process 1 of the node proxy's container: no connection is lost while control and traffic are killed. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { expect, test } from "@jest/globals";
import { until } from "../world/until.ts";
import { createPodNetwork, nextText, startFromPod } from "./pod-network.ts";

const KILLS = 8;

function module(file: string): string {
  return JSON.stringify(resolve("nodeproxy", file));
}

/** Opens or takes back the pod's listeners, and is itself control and traffic: it answers on all of them. */
function holder(directory: string, namespacePath: string): string {
  return `
import { createServer, connect } from "node:net";
import { openKeptDescriptors, parseKeptEnds } from ${module("channel/kept-descriptors.ts")};
import { openNamespace } from ${module("sys/namespace.ts")};
import { openListeningSocket } from ${module("sys/tcp-socket.ts")};
const kept = openKeptDescriptors(parseKeptEnds(process.env.WEFT_KEPT_ENDS));
let [pod] = kept.takeAll();
if (!pod) {
  const namespace = openNamespace(${JSON.stringify(namespacePath)});
  const listeners = [15001, 15006, 15008].map((port) => openListeningSocket({ namespace, family: 4 }, port));
  pod = { uid: "pod", inode: namespace.inode, families: [4], descriptors: [namespace.fd, ...listeners] };
  kept.keep(pod);
}
const server = createServer((socket) => socket.end("answered"));
server.listen({ fd: pod.descriptors[2] }, 4096);
connect(${JSON.stringify(join(directory, "hello"))}).on("connect", function () { this.write("control " + process.pid); });
process.on("SIGTERM", () => process.exit(0));
`;
}

/** What processes of one kind said when they came, each once. */
class Greetings {
  readonly waiting: number[] = [];
  #resolve: ((what: number) => void) | undefined;

  take(what: number): void {
    if (this.#resolve) this.#resolve(what);
    else this.waiting.push(what);
    this.#resolve = undefined;
  }

  async next(): Promise<number> {
    const [first] = this.waiting.splice(0, 1);
    if (first !== undefined) return first;
    return new Promise((resolve) => {
      this.#resolve = resolve;
    });
  }
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

test("becomeKeeper(): SIGKILLs of whoever holds the listeners lose no new connection; SIGTERM ends all", async () => {
  await using network = createPodNetwork("wc-keep");
  const directory = mkdtempSync(join(tmpdir(), "wc-"));
  const control = join(directory, "control.ts");
  const traffic = join(directory, "traffic.ts");
  const main = join(directory, "main.ts");
  writeFileSync(control, holder(directory, network.a.path));
  writeFileSync(
    traffic,
    `import { fstatSync } from "node:fs";
import { connect } from "node:net";
let open = 0;
for (const fd of [8, 9]) try { if (fstatSync(fd).isSocket()) open += 1; } catch {}
connect(${JSON.stringify(join(directory, "hello"))}).on("connect", function () { this.write("traffic " + open); });
process.on("SIGTERM", () => process.exit(0));`,
  );
  writeFileSync(
    main,
    `import { becomeKeeper } from ${JSON.stringify(resolve("nodeproxy/keeper-loop.ts"))};
const run = (file) => [process.execPath, "--no-warnings", file];
becomeKeeper({ control: run(${JSON.stringify(control)}), traffic: run(${JSON.stringify(traffic)}), environment: process.env });`,
  );
  const greetings = { control: new Greetings(), traffic: new Greetings() };
  const hellos = createServer((socket) => {
    void nextText(socket).then((text) => {
      const [who = "", what = ""] = text.split(" ");
      greetings[who as keyof typeof greetings].take(Number(what));
    });
  });
  hellos.listen(join(directory, "hello"));
  const keeper = spawn(process.execPath, ["--no-warnings", main], { stdio: "inherit" });

  let pid = await greetings.control.next();
  let answered = 0;
  for (let kill = 0; kill < KILLS; kill++) {
    process.kill(pid, "SIGKILL");
    // Until the kernel gets to it a process that is killed may accept: who is taken then is lost with it.
    await until("the holder's end", () => (isAlive(pid) ? undefined : true));
    const clients = Array.from({ length: 100 }, () => startFromPod(network.b, network.a.v4, 15006));
    const answers = clients.map(nextText);
    pid = await greetings.control.next();
    for (const answer of answers) if ((await answer) === "answered") answered += 1;
    for (const client of clients) client.destroy();
  }
  expect(answered).toBe(KILLS * 100);
  expect([await greetings.traffic.next(), greetings.traffic.waiting]).toEqual([0, []]);
  const end = once(keeper, "exit");
  keeper.kill("SIGTERM");
  await end;
  expect(isAlive(pid)).toBe(false);
  hellos.close();
  rmSync(directory, { recursive: true });
});
