import { EventEmitter } from "node:events";
import { Worker } from "node:worker_threads";
import { expect, test } from "@jest/globals";
import type { ToWorker } from "./messages.ts";
import { type Death, SupervisedWorker } from "./supervised-worker.ts";

const PROGRAM = `
  import { parentPort } from "node:worker_threads";
  parentPort.on("message", ({ kind, service }) => {
    if (kind === "metrics_request") for (;;);
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
  [{ kind: "metrics_request", id: 1 }, "hang"],
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
      onStuck: () => undefined,
      ...(reason === "hang" ? { lookEveryMs: 100 } : {}),
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

/** As V8 may leave one that is near its heap's limit. */
class StuckThread extends EventEmitter {
  terminations = 0;

  terminate(): Promise<number> {
    this.terminations += 1;
    return new Promise(() => undefined);
  }
}

test("SupervisedWorker: of one that cannot be ended it says so, once", async () => {
  const thread = new StuckThread();
  const { promise: stuck, resolve } = Promise.withResolvers<void>();
  let beats = 0;
  const worker = new SupervisedWorker({
    start: () => thread as unknown as Worker,
    // One sign of life.
    beats: () => Math.min((beats += 1), 2),
    onStarted: () => undefined,
    onMessage: () => undefined,
    onDied: () => undefined,
    onStuck: resolve,
    lookEveryMs: 5,
  });
  worker.start();
  await stuck;
  expect(thread.terminations).toBe(1);
  worker.beLast();
  thread.emit("exit");
  await worker.ended();
});
