import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { KubeError } from "../../core/kube/kube-error.ts";
import { KubeObjectServer } from "../../test/fakes/kube-object-server.ts";
import { createTokenReviewer } from "./token-review.ts";

let server: KubeObjectServer;

beforeEach(async () => {
  server = new KubeObjectServer();
  await server.start();
});

afterEach(async () => {
  await server.stop();
});

const TOKEN = `h.${Buffer.from(JSON.stringify({ exp: 2_000_000_000 })).toString("base64url")}.s`;

const GOOD = {
  authenticated: true,
  audiences: ["weft"],
  user: {
    username: "system:serviceaccount:weft-system:weft-node-proxy",
    extra: {
      "authentication.kubernetes.io/pod-uid": ["p"],
      "authentication.kubernetes.io/node-name": ["node-a"],
    },
  },
};

async function review(status: object, token = TOKEN) {
  server.answer = (method, path, body) =>
    method === "POST" && path === "/apis/authentication.k8s.io/v1/tokenreviews"
      ? { ...body, status }
      : undefined;
  return createTokenReviewer({
    api: server.client(),
    audience: "weft",
    namespace: "weft-system",
    findNode: (uid) => (uid === "p" ? "node-of-p" : undefined),
  })(token);
}

test("createTokenReviewer(): a node proxy's token gives its node, pod and expiry, asked for our audience", async () => {
  expect(await review(GOOD)).toEqual({
    kind: "node",
    node: "node-a",
    podUid: "p",
    expiresAtMs: 2_000_000_000_000,
  });
  expect(server.writes[0]?.body).toMatchObject({ spec: { token: TOKEN, audiences: ["weft"] } });
});

test("createTokenReviewer(): a token that names no node has that of its pod", async () => {
  const extra = { "authentication.kubernetes.io/pod-uid": ["p"] };
  expect(await review({ ...GOOD, user: { ...GOOD.user, extra } })).toMatchObject({
    node: "node-of-p",
  });
});

const REFUSED: readonly (readonly [string, object])[] = [
  ["not_authenticated", { ...GOOD, authenticated: false }],
  ["not_authenticated: has expired", { authenticated: false, error: "has expired" }],
  ["other_audience", { ...GOOD, audiences: ["https://kubernetes.default.svc"] }],
  ["other_audience", { ...GOOD, audiences: undefined }],
  [
    "other_account",
    { ...GOOD, user: { ...GOOD.user, username: "system:serviceaccount:shop:weft-node-proxy" } },
  ],
  ["not_bound_to_a_pod", { ...GOOD, user: { ...GOOD.user, extra: {} } }],
  [
    "node_unknown",
    {
      ...GOOD,
      user: { ...GOOD.user, extra: { "authentication.kubernetes.io/pod-uid": ["strange"] } },
    },
  ],
];

test.each(REFUSED)("createTokenReviewer(): refused: %s", async (reason, status) => {
  expect(await review(status)).toEqual({ kind: "refused", reason });
});

test("createTokenReviewer(): a token whose end cannot be read is refused: its stream would never end", async () => {
  const refused = { kind: "refused", reason: "no_expiry" };
  expect(await review(GOOD, "not.a.token")).toEqual(refused);
});

test("createTokenReviewer(): an API server that is away is no refusal", async () => {
  server.isFailing = true;
  const asked = review(GOOD);
  await expect(asked).rejects.toBeInstanceOf(KubeError);
  await expect(asked).rejects.toMatchObject({ reason: "unavailable" });
});
