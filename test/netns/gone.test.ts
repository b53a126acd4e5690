/** A pod and a Node that are gone while their processes live on, in a whole mesh: the operator's word ends everything in their name. */
import { spawnSync } from "node:child_process";
import { beforeAll, expect, test } from "@jest/globals";
import { sized } from "../soak.ts";
import type { GoneOutcome } from "./gone/outcome.ts";

const LIMIT_MS = 600_000;
/** Of a machine that has nothing else to do: one second. */
const WITHIN_MS = sized(30_000, 1_000);
let outcome: GoneOutcome;

beforeAll(() => {
  const done = spawnSync(process.execPath, ["test/netns/gone/main.ts"], {
    encoding: "utf8",
    timeout: LIMIT_MS,
  });
  if (done.status !== 0) throw new Error(`exit ${done.status}\n${done.stderr}`);
  outcome = JSON.parse(done.stdout) as GoneOutcome;
}, LIMIT_MS + 10_000);

/** Each node ends the tunnel itself; whichever is later may see the other's reset before the news. */
function expectCut({ tookMs, codes }: GoneOutcome["podGone"], expected: RegExp): void {
  expect(tookMs).toBeLessThan(WITHIN_MS);
  expect(codes).toHaveLength(2);
  expect(codes.join()).toMatch(expected);
}

test("gone: a pod whose process lives on loses its tunnels at both ends", () => {
  expectCut(outcome.podGone, /workload_gone/);
  expect(outcome.afterwards).toBe(false);
});

test("gone: its node has no key of its identity any more", () => {
  expect(outcome.identities).not.toContain("spiffe://cluster.local/ns/shop/sa/web");
});

test("gone: a pod of the same account that comes later is served at the first try", () => {
  expect(outcome.successor).toBe(true);
});

test("gone: a Node that is deleted loses its tunnels, and has none until it is back", () => {
  expectCut(outcome.nodeGone, /certificate_revoked/);
  expect(outcome.withoutNode).toBe(false);
  expect(outcome.nodeBack).toBe(true);
});
