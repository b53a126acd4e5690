/** Thousands of policies whose nodes come and go: how much of it reaches the API. */
import { afterEach, beforeEach, expect, jest, test } from "@jest/globals";
import type { KubeApi } from "../../core/kube/kube-api.ts";
import { createLog } from "../../core/process/log.ts";
import type { PolicyState } from "../index/policy-state.ts";
import { MeshStatus } from "./mesh-status.ts";
import { PolicyStatusWriter } from "./policy-status-writer.ts";

const POLICIES = 3_000;

beforeEach(() => {
  jest.useFakeTimers();
});

afterEach(() => {
  jest.useRealTimers();
});

/** Every policy is on both nodes; `status` is what was written last, as a watch would tell. */
function policies(statuses: ReadonlyMap<string, unknown>): readonly PolicyState[] {
  return Array.from({ length: POLICIES }, (_, i): PolicyState => {
    const key = `policy shop/p${i}`;
    return {
      kind: "AuthorizationPolicy",
      namespace: "shop",
      name: `p${i}`,
      uid: `u${i}`,
      generation: 1,
      status: statuses.get(`p${i}`),
      accepted: true,
      effect: "full",
      reasons: [],
      warnings: [],
      notes: [],
      proofs: ["a", "b"].map((node) => ({ node, key, version: "1" })),
      uncaptured: new Map(),
    };
  });
}

const HELD = {
  held: new Map(
    Array.from({ length: POLICIES }, (_, i) => [`policy shop/p${i}`, { version: "1" }]),
  ),
  refused: [],
};

function nameOf(path: string): string {
  return path.split("/").at(-2) ?? "";
}

test("PolicyStatusWriter: nodes that come and go with 3,000 policies cost one write each, at the pace", async () => {
  const written = new Map<string, unknown>();
  let writes = 0;
  const api: KubeApi = {
    call: async ({ path, body }) => {
      writes += 1;
      written.set(nameOf(path), (body as { readonly status: unknown }).status);
      return undefined;
    },
  };
  const log = createLog({ name: "test", level: "error" });
  const writer = new PolicyStatusWriter({ api, isLeader: () => true, log });
  const status = new MeshStatus({
    policies: () => policies(written),
    onStatus: (statuses) => writer.put(statuses),
  });
  // The second node, its going and its coming back all happen before most have had their turn.
  status.setOwn("a", HELD);
  await jest.advanceTimersByTimeAsync(1000);
  const atOnce = writes;
  expect(atOnce).toBeLessThanOrEqual(200);
  for (const held of [HELD, undefined, HELD, undefined, HELD]) {
    status.setOwn("b", held);
    await jest.advanceTimersByTimeAsync(2000);
  }
  await jest.advanceTimersByTimeAsync(120_000);
  expect(written.size).toBe(POLICIES);
  expect(new Set([...written.values()].map((one) => (one as { nodes: string }).nodes))).toEqual(
    new Set(["2/2"]),
  );
  // Those that were written while the second node was away are written once more, and none else.
  expect(writes).toBeLessThanOrEqual(POLICIES + 1300);
  const settled = writes;
  for (let i = 0; i < 5; i += 1) {
    status.recomputeSoon();
    await jest.advanceTimersByTimeAsync(5000);
  }
  expect(writes).toBe(settled);
  status.close();
  await writer.close();
});
