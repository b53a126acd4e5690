import { expect, test } from "@jest/globals";
import fc from "fast-check";
import { FairQueue } from "./fair-queue.ts";

const LIMITS = { waitingPerOwner: 100_000, waiting: 1_000_000, underWay: 1 };
const { signal: never } = new AbortController();

/** Puts one job for each owner named, and tells in which order they were begun. */
async function orderOf(owners: readonly string[], queue = new FairQueue(LIMITS)) {
  const begun: string[] = [];
  await Promise.all(
    owners.map((owner, i) => queue.run(owner, () => begun.push(`${owner} ${i}`), never)),
  );
  return begun;
}

test("FairQueue: ten thousand jobs of one owner delay another's single one by one", async () => {
  const owners = [...Array.from({ length: 10_000 }, () => "greedy"), "modest"];
  const queue = new FairQueue(LIMITS);
  let before = 0;
  const greedy = owners.slice(0, -1).map((owner) => queue.run(owner, () => (before += 1), never));
  expect(await queue.run("modest", () => before, never)).toBe(1);
  await Promise.all(greedy);
  expect(queue.waiting).toBe(0);
});

test("FairQueue: an owner's job waits for no more turns of another than it has jobs before it, plus one", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.constantFrom("a", "b", "c", "d"), { maxLength: 60 }),
      async (owners) => {
        const begun = await orderOf(owners);
        // Each once, an owner's own in their order.
        expect(begun.toSorted()).toEqual(owners.map((owner, i) => `${owner} ${i}`).toSorted());
        for (const [at, each] of begun.entries()) {
          const [owner = "", number = ""] = each.split(" ");
          const own = owners.slice(0, Number(number)).filter((other) => other === owner).length;
          for (const other of new Set(owners)) {
            const turns = begun.slice(0, at).filter((one) => one.startsWith(other)).length;
            expect(turns).toBeLessThanOrEqual(other === owner ? own : own + 1);
          }
        }
      },
    ),
    { numRuns: 300 },
  );
});

test("FairQueue: an owner that comes while others wait is served in its turn", async () => {
  const queue = new FairQueue(LIMITS);
  const begun: string[] = [];
  const first = queue.run("a", () => void begun.push("a1"), never);
  const rest = [
    queue.run("a", () => void begun.push("a2"), never),
    queue.run("a", () => void begun.push("a3"), never),
  ];
  await first;
  rest.push(queue.run("b", () => void begun.push("b1"), never));
  await Promise.all(rest);
  expect(begun).toEqual(["a1", "a2", "b1", "a3"]);
});

test("FairQueue: full for one owner, then for all; and free again once it has been worked off", async () => {
  const queue = new FairQueue({ waitingPerOwner: 2, waiting: 3, underWay: 1 });
  const jobs = ["a", "a"].map((owner) => queue.run(owner, () => undefined, never));
  expect([queue.isFullFor("a"), queue.isFullFor("b")]).toEqual(["owner_full", undefined]);
  jobs.push(queue.run("b", () => undefined, never));
  expect(queue.isFullFor("b")).toBe("full");
  expect(() => queue.run("b", () => undefined, never)).toThrow(RangeError);
  await Promise.all(jobs);
  expect([queue.isFullFor("a"), queue.waiting]).toEqual([undefined, 0]);
});

test("FairQueue: no more slow jobs under way than may be, and one that fails hurts its caller only", async () => {
  const queue = new FairQueue({ ...LIMITS, underWay: 2 });
  const slow = [0, 1, 2].map(() => Promise.withResolvers<number>());
  const begun: number[] = [];
  const third = Promise.withResolvers<void>();
  const answers = slow.map(({ promise }, i) =>
    queue.run(
      `node-${i}`,
      () => {
        begun.push(i);
        if (i === 2) third.resolve();
        return promise;
      },
      never,
    ),
  );
  const settled = Promise.allSettled(answers);
  for (let turn = 0; turn < 5; turn += 1) await new Promise((resolve) => setImmediate(resolve));
  expect(begun).toEqual([0, 1]);
  slow[0]?.reject(new Error("signer away"));
  await third.promise;
  slow[1]?.resolve(1);
  slow[2]?.resolve(2);
  expect(await settled).toMatchObject([
    { status: "rejected", reason: { message: "signer away" } },
    { value: 1 },
    { value: 2 },
  ]);
});

test("FairQueue: a job that nobody waits for any more is not run and costs no turn", async () => {
  const queue = new FairQueue(LIMITS);
  const gone = new AbortController();
  const begun: string[] = [];
  const left = queue.run("a", () => void begun.push("left"), gone.signal);
  const stays = queue.run("a", () => void begun.push("stays"), never);
  const other = queue.run("b", () => void begun.push("other"), never);
  gone.abort(new Error("gone"));
  await expect(left).rejects.toThrow("gone");
  await Promise.all([stays, other]);
  expect(begun).toEqual(["stays", "other"]);
  expect(queue.waiting).toBe(0);
});
