/** The README's second command, as a program would run it: every figure in its JSON is what it measured. */
import { spawnSync } from "node:child_process";
import { expect, test } from "@jest/globals";
import type { Summary } from "../demo/summary.ts";

const LIMIT_MS = 90_000;
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
      });
      expect(summary.replicaCounts).toHaveLength(3);
      expect(summary.rotation.requests).toBeGreaterThan(0);
      expect(summary.rotation.rotations).toBeGreaterThan(0);
      expect(summary.operatorDown.requests).toBeGreaterThan(0);
      expect(summary.denyAppliedMs).toBeLessThan(5_000);
    },
    LIMIT_MS + 10_000,
  );
}
