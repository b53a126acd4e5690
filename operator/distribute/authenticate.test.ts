import { beforeEach, expect, test } from "@jest/globals";
import {
  type Authenticate,
  createJoinTokenAuthentication,
  createTokenAuthentication,
  type NodePeer,
} from "./authenticate.ts";

const MINUTE_MS = 60_000;
const PEER: NodePeer = { kind: "node", node: "a", podUid: "p", expiresAtMs: 60 * MINUTE_MS };

/** An API server that the test moves. */
let answer: () => Promise<NodePeer | { readonly kind: "refused"; readonly reason: string }>;
let nowMs: number;
let reviews: number;
let authenticate: Authenticate;

beforeEach(() => {
  nowMs = 0;
  reviews = 0;
  answer = async () => PEER;
  authenticate = createTokenAuthentication({
    review: async () => {
      reviews += 1;
      return answer();
    },
    now: () => nowMs,
  });
});

function ask(token = "t"): Promise<unknown> {
  return authenticate({ authorization: `Bearer ${token}` }).then((told) =>
    told.kind === "node" ? told.node : told.reason,
  );
}

async function away(): Promise<never> {
  throw new Error("the API server is away");
}

test("createTokenAuthentication(): a burst of calls costs one review, and after ten seconds another", async () => {
  expect(await Promise.all([ask(), ask(), ask()])).toEqual(["a", "a", "a"]);
  expect(reviews).toBe(1);
  nowMs = 10_000;
  expect(await ask()).toBe("a");
  expect(reviews).toBe(2);
});

test("createTokenAuthentication(): with the API server away an accepted token counts for ten minutes, a new one does not", async () => {
  expect(await ask()).toBe("a");
  answer = away;
  nowMs = 9 * MINUTE_MS;
  expect(await ask()).toBe("a");
  expect(await ask("new")).toBe("review_unavailable");
  nowMs = 10 * MINUTE_MS;
  expect(await ask()).toBe("review_unavailable");
  answer = async () => PEER;
  expect(await ask()).toBe("a");
});

test("createTokenAuthentication(): a token that was refused after it was accepted gets no grace", async () => {
  expect(await ask()).toBe("a");
  nowMs += 11_000;
  answer = async () => ({ kind: "refused", reason: "not_authenticated" });
  expect(await ask()).toBe("bad_token");
  nowMs += 11_000;
  answer = away;
  expect(await ask()).toBe("review_unavailable");
});

test("createTokenAuthentication(): a token does not outlive its own end, whatever is cached", async () => {
  answer = async () => ({ ...PEER, expiresAtMs: 5000 });
  expect(await ask()).toBe("a");
  nowMs = 5000;
  expect(await ask()).toBe("expired_token");
});

test("createTokenAuthentication(): a flood of garbage leaves at most 64 reviews under way", async () => {
  const { promise, resolve } = Promise.withResolvers<NodePeer>();
  answer = () => promise;
  const asked = Array.from({ length: 100 }, (_, i) => ask(`garbage-${i}`));
  resolve(PEER);
  const told = await Promise.all(asked);
  expect(reviews).toBe(64);
  expect(told.filter((one) => one === "review_unavailable")).toHaveLength(36);
});

const UNREADABLE: readonly (readonly [string, string | undefined])[] = [
  ["nothing", undefined],
  ["another scheme", "Basic dDp0"],
  ["an empty one", "Bearer "],
  ["one with a space", "Bearer a b"],
  ["an endless one", `Bearer ${"a".repeat(20_000)}`],
];

test.each(UNREADABLE)(
  "createTokenAuthentication(): %s is no token, and nobody is asked about it",
  async (_name, authorization) => {
    const headers = authorization === undefined ? {} : { authorization };
    expect(await authenticate(headers)).toEqual({ kind: "refused", reason: "no_token" });
    expect(reviews).toBe(0);
  },
);

async function join(joinToken: string, shown: string, node = "node-a"): Promise<string> {
  const headers = { authorization: `Bearer ${shown}`, "weft-node": node };
  const told = await createJoinTokenAuthentication(() => joinToken)(headers);
  return told.kind === "node" ? told.node : told.reason;
}

test("createJoinTokenAuthentication(): who knows the token names itself; an empty one lets nobody in", async () => {
  expect(await join("secret", "secret", "node-a.example")).toBe("node-a.example");
  expect(await join("secret", "secre")).toBe("bad_token");
  expect(await join("", "secret")).toBe("bad_token");
});

test.each(["../etc", "Node", "a..b", "-a", `${"a".repeat(63)}.`.repeat(4)])(
  "createJoinTokenAuthentication(): %s is no node's name",
  async (node) => {
    expect(await join("secret", "secret", node)).toBe("bad_node_name");
  },
);

test("createJoinTokenAuthentication(): which of a node's proxies calls is what it says, and may be unsaid", async () => {
  const authenticate = createJoinTokenAuthentication(() => "secret");
  const headers = { authorization: "Bearer secret", "weft-node": "node-a" };
  expect(await authenticate({ ...headers, "weft-instance": "one" })).toMatchObject({
    instance: "one",
  });
  expect(await authenticate(headers)).not.toHaveProperty("instance");
  const long = await authenticate({ ...headers, "weft-instance": "x".repeat(10_000) });
  expect(long).toMatchObject({ instance: "x".repeat(64) });
});
