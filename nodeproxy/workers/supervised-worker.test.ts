import { Worker } from "node:worker_threads";
import { expect, test } from "@jest/globals";
import type { ToWorker } from "./messages.ts";
import { type Death, SupervisedWorker } from "./supervised-worker.ts";

const PROGRAM = `
  import { parentPort } from "node:worker_threads";
  parentPort.on("message", ({ kind, service }) => {
    if (kind === "freed") throw new Error("by demand");
    if (kind === "close") process.exit(0);
    const held = [];
    for (;;) held.push({ service: "s".repeat(10) + held.length });
  });
  parentPort.postMessage({ kind: "lines", text: "up" });
`;

function startThread(): Worker {
  return new Worker(new URL(`data:text/javascript,${encodeURIComponent(PROGRAM)}`), {
    resourceLimits: { maxOldGenerationSizeMb: 32 },
  });
}

const COMMANDS: readonly (readonly [ToWorker, string])[] = [
  [{ kind: "freed" }, "uncaught_error"],
  [{ kind: "granted", service: "s" }, "out_of_memory"],
  [{ kind: "close" }, "exit"],
];

test.each(COMMANDS)(
  "SupervisedWorker: after %j it says %s and starts the next",
  async (command, reason) => {
    const deaths: Death[] = [];
    const { promise: again, resolve } = Promise.withResolvers<void>();
    let ups = 0;
    const worker = new SupervisedWorker({
      start: startThread,
      beats: () => 0,
      onStarted: () => undefined,
      onMessage: () => {
        ups += 1;
        if (ups === 1) worker.post(command);
        else resolve();
      },
      onDied: (death) => deaths.push(death),
    });
    worker.start();
    await again;
    expect(deaths.map((death) => death.reason)).toEqual([reason]);
    worker.beLast();
    expect(worker.post({ kind: "close" })).toBe(true);
    await worker.ended();
    expect(deaths).toHaveLength(2);
    expect(worker.post({ kind: "close" })).toBe(false);
  },
  30_000,
);
