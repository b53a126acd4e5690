/** The README's second command, as a program would run it: every figure in its JSON is what it measured. */
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { createInterface } from "node:readline";
import { expect, test } from "@jest/globals";
import type { Summary } from "../demo/summary.ts";
import { sized } from "../soak.ts";

const LIMIT_MS = 600_000;
const AS_NOBODY = ["--reuid=65534", "--regid=65534", "--clear-groups", process.execPath];

function runDemo(program: string, args: readonly string[]): Summary {
  const done = spawnSync(program, [...args, "test/demo/main.ts", "--json"], {
    encoding: "utf8",
    timeout: LIMIT_MS,
  });
  if (done.status !== 0) throw new Error(`exit ${done.status}\n${done.stderr}`);
  return JSON.parse(done.stdout) as Summary;
}

const ways: [string, string, readonly string[]][] = [
  ["as root", process.execPath, []],
  ["without root, in a user namespace", "setpriv", AS_NOBODY],
];

for (const [name, program, args] of ways) {
  test(
    `demo: ${name}, everything it tells holds`,
    () => {
      const summary = runDemo(program, args);
      expect(summary).toMatchObject({
        wireEncrypted: true,
        identities: {
          client: "spiffe://cluster.local/ns/shop/sa/web",
          server: "spiffe://cluster.local/ns/shop/sa/api",
        },
        openConnectionClosed: true,
        rotation: { failed: 0 },
        operatorDown: { failed: 0 },
        serverFirst: true,
        retry: { failed: 0 },
        canary: { failed: 0 },
        rateLimit: { requests: 15, answered: 10, limited: 5 },
      });
      expect(summary.retry.failedWithout).toBeGreaterThan(0);
      expect(summary.canary.next).toBeGreaterThan(0);
      expect(summary.replicaCounts).toHaveLength(3);
      expect(summary.rotation.requests).toBeGreaterThan(0);
      expect(summary.rotation.rotations).toBeGreaterThan(0);
      expect(summary.operatorDown.requests).toBeGreaterThan(0);
      expect(summary.denyAppliedMs).toBeLessThan(sized(60_000, 5_000));
    },
    LIMIT_MS + 10_000,
  );

  test(
    `demo --keep: ${name}, every command that it prints works, and Ctrl-C leaves nothing behind`,
    async () => {
      const demo = spawn(program, [...args, "test/demo/main.ts", "--keep"], {
        stdio: ["ignore", "ignore", "pipe"],
      });
      const exit = once(demo, "exit");
      try {
        const { commands, logs } = await readPlay(demo.stderr);
        const done = commands.map((command) => runAs(program, args, command));
        expect(done).toEqual(commands.map((command) => ({ command, status: 0, error: "" })));
        demo.kill("SIGINT");
        expect(await exit).toEqual([130, null]);
        expect(existsSync(logs)).toBe(false);
      } finally {
        demo.kill("SIGKILL");
      }
    },
    LIMIT_MS + 10_000,
  );
}

interface Play {
  readonly commands: readonly string[];
  readonly logs: string;
}

/** What the demo tells a person to type, and where it says that its logs are. */
async function readPlay(output: NodeJS.ReadableStream): Promise<Play> {
  const told: string[] = [];
  const commands: string[] = [];
  for await (const line of createInterface({ input: output })) {
    told.push(line);
    if (/^ {2}(nsenter|cp|rm) /.test(line)) commands.push(line.trim());
    const logs = /^logs: (.*)$/.exec(line)?.[1];
    if (logs !== undefined) return { commands, logs };
  }
  throw new Error(`the demo ended before it told what to play with:\n${told.join("\n")}`);
}

/** In a shell of whoever runs the demo. */
function runAs(program: string, args: readonly string[], command: string): object {
  const prefix = program === "setpriv" ? [program, ...args.slice(0, -1)] : [];
  const [shell, ...rest] = [...prefix, "sh", "-c", command];
  const { status, stderr } = spawnSync(shell, rest, { encoding: "utf8", timeout: 120_000 });
  return { command, status, error: stderr };
}
