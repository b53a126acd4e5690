/**
 * What the programs have in memory stays there: SIGUSR1, with which Node opens its inspector, opens nothing, and a
 * crash leaves no core, however much the machine would let it.
 */
import { type ChildProcessByStdio, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import type { Readable } from "node:stream";
import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { until } from "../world/until.ts";

const ROOT = resolve(import.meta.dirname, "../..");
let folder: string;
let started: Started | undefined;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "weft-sealed-"));
});

afterEach(async () => {
  await started?.kill();
  rmSync(folder, { recursive: true });
});

/** Under a shell that would let it dump its core, and says whether it did. */
class Started {
  #said = "";
  readonly #shell: ChildProcessByStdio<null, null, Readable>;
  readonly #closed: Promise<unknown>;

  constructor(...command: readonly string[]) {
    const script = `ulimit -c 4096 && "$@"; exit 0`;
    const args = ["-c", script, "shell", process.execPath, "--no-warnings", ...command];
    this.#shell = spawn("bash", args, { cwd: folder, stdio: ["ignore", "ignore", "pipe"] });
    this.#closed = once(this.#shell, "close");
    this.#shell.stderr.on("data", (chunk: Buffer) => {
      this.#said += chunk.toString();
    });
  }

  /** Of the program, once it has said this. */
  async pidAfter(text: string): Promise<number> {
    await this.says(text);
    const pid = this.#pid();
    if (pid === undefined) throw new Error(`ended: ${this.#said}`);
    return pid;
  }

  async says(text: string): Promise<void> {
    await until(text, () => (this.#said.includes(text) ? true : undefined));
  }

  /** All that it said. */
  async ended(): Promise<string> {
    await this.#closed;
    return this.#said;
  }

  async kill(): Promise<void> {
    const pid = this.#pid();
    if (pid !== undefined) process.kill(pid, "SIGKILL");
    await this.#closed;
  }

  #pid(): number | undefined {
    const { pid = 0 } = this.#shell;
    const children = readOrEmpty(`/proc/${pid}/task/${pid}/children`);
    return children === "" ? undefined : Number.parseInt(children, 10);
  }
}

function readOrEmpty(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}

function start(...command: readonly string[]): Started {
  started = new Started(...command);
  return started;
}

function nodeProxy(main: string): readonly string[] {
  writeFileSync(join(folder, "roots.pem"), "");
  writeFileSync(join(folder, "join-token"), "secret");
  const flags = {
    node: "node-a",
    operator: "127.0.0.1:1",
    roots: join(folder, "roots.pem"),
    "join-token-file": join(folder, "join-token"),
    "run-dir": join(folder, "run"),
    "admin-listen": "127.0.0.1:0",
    "metrics-listen": "127.0.0.1:0",
    "ready-listen": "127.0.0.1:0",
    "log-level": "debug",
  };
  const args = Object.entries(flags).map(([name, value]) => `--${name}=${value}`);
  return [join(ROOT, "nodeproxy", main), ...args];
}

function operator(): readonly string[] {
  const files = { "ca-dir": "ca", "join-token-file": "token", "roots-out": "roots-out.pem" };
  const paths = Object.entries(files).map(([name, file]) => `--${name}=${join(folder, file)}`);
  const listen = ["--grpc-listen=127.0.0.1:0", "--metrics-listen=127.0.0.1:0", "--log-level=debug"];
  return [join(ROOT, "operator/main.ts"), `--source=file:${folder}`, ...paths, ...listen];
}

const PROGRAMS: readonly (readonly [string, () => readonly string[]])[] = [
  ["operator", operator],
  ["control", () => nodeProxy("control-main.ts")],
  ["traffic", () => nodeProxy("traffic-main.ts")],
];

test.each(PROGRAMS)("%s: opens no debugger on SIGUSR1 and leaves no core", async (_, command) => {
  const program = start(...command());
  const pid = await program.pidAfter('"sealed"');
  process.kill(pid, "SIGUSR1");
  await program.says("no debugger is opened");
  process.kill(pid, "SIGABRT");
  const said = await program.ended();
  expect(said).toContain("Aborted");
  expect(said).not.toMatch(/core dumped|Debugger listening/);
});

test("any other program of this machine would do both", async () => {
  const script = "console.error('runs'); setInterval(() => 0, 1e6)";
  const program = start("--inspect-port=0", "-e", script);
  const pid = await program.pidAfter("runs");
  process.kill(pid, "SIGUSR1");
  await program.says("Debugger listening");
  process.kill(pid, "SIGABRT");
  expect(await program.ended()).toContain("core dumped");
});
