import { afterEach, beforeEach, expect, jest, test } from "@jest/globals";
import fc from "fast-check";
import { SharedSlots } from "./shared-slots.ts";
import { createTableMemory, SharedTable } from "./shared-table.ts";

const WORKERS = 3;
const LIMITS = {
  maxConnections: 2,
  maxConnectionsPerEndpoint: 0,
  maxPending: 2,
  pendingTimeoutMs: 1000,
};

beforeEach(() => void jest.useFakeTimers());
afterEach(() => void jest.useRealTimers());

interface Workers {
  readonly slots: readonly SharedSlots[];
  /** The messages between them. */
  readonly deliver: () => void;
  /** As the main thread does. */
  readonly die: (index: number) => void;
  readonly start: (index: number) => SharedSlots;
}

function createWorkers(): Workers {
  const memory = createTableMemory(WORKERS, "secret");
  const post: [number, string][] = [];
  function start(index: number): SharedSlots {
    return new SharedSlots({
      table: new SharedTable(memory, index),
      tell: (worker, service) => post.push([worker, service]),
      onFull: () => {
        throw new Error("full");
      },
    });
  }
  const slots = Array.from({ length: WORKERS }, (_, index) => start(index));
  function deliver(): void {
    for (const [worker, service] of post.splice(0)) slots[worker]?.granted(service);
  }
  return { slots, deliver, start, die: (index) => new SharedTable(memory).forget(index) };
}

test("SharedSlots: a limit and its queue are one for all workers", async () => {
  const { slots, deliver } = createWorkers();
  const [a, b, c] = slots;
  expect(slots.map((one) => one.tryTake("s", LIMITS))).toEqual([true, true, false]);
  const waits = Promise.all([c, a].map(async (one) => one?.wait("s", LIMITS)));
  expect(await b?.wait("s", LIMITS)).toBe("service_connections_exhausted");
  b?.release("s");
  a?.release("s");
  // The places went to who waits, although nobody has told them yet.
  expect(b?.tryTake("s", LIMITS)).toBe(false);
  deliver();
  expect(await waits).toEqual(["taken", "taken"]);
  expect(b?.tryTake("other", LIMITS)).toBe(true);
});

test("SharedSlots: who waits too long goes, but not with a place that was granted meanwhile", async () => {
  const [a, b] = createWorkers().slots;
  a?.tryTake("s", LIMITS);
  a?.tryTake("s", LIMITS);
  const late = b?.wait("s", LIMITS);
  jest.advanceTimersByTime(1000);
  expect(await late).toBe("service_pending_timeout");
  const inTime = b?.wait("s", LIMITS);
  a?.release("s");
  jest.advanceTimersByTime(1000);
  expect(await inTime).toBe("taken");
});

test("SharedSlots: what a dead worker had taken and waited for is free, first for those who wait", async () => {
  const { slots, die, start } = createWorkers();
  const [a, b] = slots;
  a?.tryTake("s", LIMITS);
  a?.tryTake("s", LIMITS);
  void a?.wait("s", LIMITS);
  const waiting = b?.wait("s", LIMITS);
  die(0);
  b?.freed();
  expect(await waiting).toBe("taken");
  const next = start(0);
  expect([next.tryTake("s", LIMITS), next.tryTake("s", LIMITS)]).toEqual([true, false]);
});

test("SharedSlots: never more open than allowed, and every place is used while somebody waits", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.integer({ min: 1, max: 4 }),
      fc.array(fc.tuple(fc.nat(WORKERS - 1), fc.constantFrom("come", "go", "deliver")), {
        maxLength: 60,
      }),
      async (maxConnections, steps) => {
        const limits = { ...LIMITS, maxConnections, maxPending: 100 };
        const { slots, deliver } = createWorkers();
        const load = { open: slots.map(() => 0), waiting: 0 };
        for (const [worker, step] of steps) {
          if (step === "come") come({ slots, worker }, limits, load);
          else if (step === "deliver") deliver();
          else if ((load.open[worker] ?? 0) > 0) {
            load.open[worker] = (load.open[worker] ?? 0) - 1;
            slots[worker]?.release("s");
          }
          await settled();
          expect(sum(load.open)).toBeLessThanOrEqual(maxConnections);
        }
        deliver();
        await settled();
        expect(load.waiting === 0 || sum(load.open) === maxConnections).toBe(true);
      },
    ),
  );
});

interface Load {
  /** By worker. */
  readonly open: number[];
  waiting: number;
}

function come(
  { slots, worker }: { readonly slots: readonly SharedSlots[]; readonly worker: number },
  limits: typeof LIMITS,
  load: Load,
): void {
  function opened(): void {
    load.open[worker] = (load.open[worker] ?? 0) + 1;
  }
  if (slots[worker]?.tryTake("s", limits)) {
    opened();
    return;
  }
  load.waiting += 1;
  void slots[worker]?.wait("s", limits).then(() => {
    load.waiting -= 1;
    opened();
  });
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, one) => total + one, 0);
}

/** Promises that are resolved have told so. */
async function settled(): Promise<void> {
  for (let i = 0; i < 5; i += 1) await Promise.resolve();
}
