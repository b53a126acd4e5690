import { afterEach, beforeEach, expect, jest, test } from "@jest/globals";
import fc from "fast-check";
import { ServiceSlots, type WaitEnd } from "./service-slots.ts";

const LIMITS = {
  maxConnections: 1,
  maxConnectionsPerEndpoint: 0,
  maxPending: 2,
  pendingTimeoutMs: 1000,
};

beforeEach(() => void jest.useFakeTimers());
afterEach(() => void jest.useRealTimers());

test("ServiceSlots: who waits goes on in the order of coming, and nobody overtakes", async () => {
  const slots = new ServiceSlots();
  const order: string[] = [];
  expect(slots.tryTake("s", LIMITS)).toBe(true);
  expect(slots.tryTake("s", LIMITS)).toBe(false);
  const waits = ["first", "second"].map(async (name) => {
    const end = await slots.wait("s", LIMITS);
    order.push(`${name} ${end}`);
  });
  expect(await slots.wait("s", LIMITS)).toBe("service_connections_exhausted");
  slots.release("s");
  // The place went to who waits, although nobody has noticed yet.
  expect(slots.tryTake("s", LIMITS)).toBe(false);
  await waits[0];
  slots.release("s");
  await waits[1];
  expect(order).toEqual(["first taken", "second taken"]);
  expect(slots.tryTake("other", LIMITS)).toBe(true);
});

test("ServiceSlots: who waits too long goes, and its place in the queue is free", async () => {
  const slots = new ServiceSlots();
  slots.tryTake("s", LIMITS);
  const late = slots.wait("s", LIMITS);
  jest.advanceTimersByTime(1000);
  expect(await late).toBe("service_pending_timeout");
  const next: Promise<WaitEnd> = slots.wait("s", LIMITS);
  slots.release("s");
  expect(await next).toBe("taken");
});

test("ServiceSlots: a limit that is raised lets those go on who wait, before whoever comes", async () => {
  const slots = new ServiceSlots();
  slots.tryTake("s", LIMITS);
  const waits = [slots.wait("s", LIMITS), slots.wait("s", LIMITS)];
  expect(slots.tryTake("s", { ...LIMITS, maxConnections: 3 })).toBe(false);
  expect(await Promise.all(waits)).toEqual(["taken", "taken"]);
  expect(slots.tryTake("s", { ...LIMITS, maxConnections: 0 })).toBe(true);
});

test("ServiceSlots: never more open than allowed, and every place is used while somebody waits", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.integer({ min: 1, max: 4 }),
      fc.array(fc.boolean(), { maxLength: 60 }),
      async (maxConnections, steps) => {
        const limits = { ...LIMITS, maxConnections, maxPending: 100 };
        const slots = new ServiceSlots();
        const load = { open: 0, waiting: 0 };
        for (const isComing of steps) {
          if (isComing) come(slots, limits, load);
          else if (load.open > 0) {
            load.open -= 1;
            slots.release("s");
          }
          await settled();
          expect(load.open).toBeLessThanOrEqual(maxConnections);
          expect(load.waiting === 0 || load.open === maxConnections).toBe(true);
        }
      },
    ),
  );
});

function come(
  slots: ServiceSlots,
  limits: typeof LIMITS,
  load: { open: number; waiting: number },
): void {
  if (slots.tryTake("s", limits)) {
    load.open += 1;
    return;
  }
  load.waiting += 1;
  void slots.wait("s", limits).then(() => {
    load.waiting -= 1;
    load.open += 1;
  });
}

/** Promises that are resolved have told so. */
async function settled(): Promise<void> {
  for (let i = 0; i < 5; i += 1) await Promise.resolve();
}
