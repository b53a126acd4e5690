import { expect, jest, test } from "@jest/globals";
import { leaveNode } from "./leave-node.ts";

jest.useFakeTimers();

/** A node whose connections end when the test says so. */
function begin({ isAccepting }: { isAccepting: boolean }) {
  const outlived = Promise.withResolvers<void>();
  const drained = Promise.withResolvers<void>();
  const node = { isAccepting, stopped: false, hasLeft: false, outlived, drained };
  void leaveNode({
    isAccepting: () => node.isAccepting,
    outlived: () => outlived.promise,
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

test("leaveNode(): with nobody to follow it accepts until what was open has ended, then a second at most", async () => {
  const node = begin({ isAccepting: true });
  await jest.advanceTimersByTimeAsync(50_000);
  expect(node).toMatchObject({ stopped: false });
  node.outlived.resolve();
  await jest.advanceTimersByTimeAsync(999);
  expect(node).toMatchObject({ stopped: true, hasLeft: false });
  await jest.advanceTimersByTimeAsync(1);
  expect(node).toMatchObject({ hasLeft: true });
});

test("leaveNode(): with nobody to follow it leaves within its time, whatever is open", async () => {
  const node = begin({ isAccepting: true });
  await jest.advanceTimersByTimeAsync(52_999);
  expect(node).toMatchObject({ stopped: false });
  await jest.advanceTimersByTimeAsync(1_001);
  expect(node).toMatchObject({ stopped: true, hasLeft: true });
});

test("leaveNode(): with nothing open it is gone at once", async () => {
  const node = begin({ isAccepting: true });
  node.outlived.resolve();
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
  node.outlived.resolve();
  await jest.advanceTimersByTimeAsync(300_000);
  expect(node).toMatchObject({ stopped: true, hasLeft: false });
});
