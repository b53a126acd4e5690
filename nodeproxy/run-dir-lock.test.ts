import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { expect, test } from "@jest/globals";
import { lockRunDir } from "./run-dir-lock.ts";

test("lockRunDir(): the second waits, and has it as soon as the first is killed", async () => {
  const runDir = mkdtempSync(join(tmpdir(), "weft-lock-"));
  const program = `import { lockRunDir } from ${JSON.stringify(resolve("nodeproxy/run-dir-lock.ts"))};
await lockRunDir(${JSON.stringify(runDir)}, { onWait() {}, signal: new AbortController().signal });
console.log("held");
setInterval(() => {}, 1000);`;
  const first = spawn(process.execPath, ["--input-type=module", "-e", program]);
  await once(first.stdout, "data");
  const waits = Promise.withResolvers<void>();
  let hasIt = false;
  const second = lockRunDir(runDir, {
    onWait: () => waits.resolve(),
    signal: new AbortController().signal,
  }).then((lock) => {
    hasIt = true;
    return lock;
  });
  await waits.promise;
  expect(hasIt).toBe(false);
  first.kill("SIGKILL");
  const lock = await second;
  lock.release();
  rmSync(runDir, { recursive: true });
});

test("lockRunDir(): stops waiting when told to", async () => {
  const runDir = mkdtempSync(join(tmpdir(), "weft-lock-"));
  const first = await lockRunDir(runDir, { onWait() {}, signal: new AbortController().signal });
  const stop = new AbortController();
  const second = lockRunDir(runDir, { onWait: () => stop.abort(), signal: stop.signal });
  await expect(second).rejects.toThrow("aborted");
  first.release();
  rmSync(runDir, { recursive: true });
});
