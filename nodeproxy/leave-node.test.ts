import { expect, jest, test } from "@jest/globals";
import { leaveNode } from "./leave-node.ts";

jest.useFakeTimers();

/** A node that others take over, and whose connections end, when the test says so. */
function begin({ isAccepting }: { isAccepting: boolean }) {
  const drained = Promise.withResolvers<void>();
  const node = { isAccepting, stopped: false, hasLeft: false, drained };
  void leaveNode({
    isAccepting: () => node.isAccepting,
    drained: () => {
      node.stopped = true;
      node.isAccepting = false;
      return drained.promise;
    },
    withinMs: 55_000,
  }).then(() => {
    node.hasLeft = true;
  });
  return node;
}

test("leaveNode(): with nobody to follow it accepts to the end of its time, then leaves a second for what is open", async () => {
  const node = begin({ isAccepting: true });
  await jest.advanceTimersByTimeAsync(52_900);
  expect(node).toMatchObject({ stopped: false });
  await jest.advanceTimersByTimeAsync(100);
  expect(node).toMatchObject({ stopped: true, hasLeft: false });
  await jest.advanceTimersByTimeAsync(1_000);
  expect(node).toMatchObject({ hasLeft: true });
});

test("leaveNode(): with nobody to follow and nothing open it is gone as soon as its time is over", async () => {
  const node = begin({ isAccepting: true });
  node.drained.resolve();
  await jest.advanceTimersByTimeAsync(53_000);
  expect(node).toMatchObject({ stopped: true, hasLeft: true });
});

test("leaveNode(): without pods it is gone once nothing is open", async () => {
  const node = begin({ isAccepting: false });
  node.drained.resolve();
  await jest.advanceTimersByTimeAsync(0);
  expect(node).toMatchObject({ stopped: true, hasLeft: true });
});

test("leaveNode(): once another serves the node every connection is waited for", async () => {
  const node = begin({ isAccepting: false });
  await jest.advanceTimersByTimeAsync(300_000);
  expect(node).toMatchObject({ stopped: true, hasLeft: false });
  node.drained.resolve();
  await jest.advanceTimersByTimeAsync(0);
  expect(node).toMatchObject({ hasLeft: true });
});

test("leaveNode(): another takes over while it leaves: then it waits for every connection", async () => {
  const node = begin({ isAccepting: true });
  await jest.advanceTimersByTimeAsync(10_000);
  node.isAccepting = false;
  await jest.advanceTimersByTimeAsync(300_000);
  expect(node).toMatchObject({ stopped: true, hasLeft: false });
  node.drained.resolve();
  await jest.advanceTimersByTimeAsync(0);
  expect(node).toMatchObject({ hasLeft: true });
});
