/**
 * A node's token in the wrong hands, and tokens that are no node's, shown to the real operator: each gets a refusal with
 * its reason, which is counted and audited in one line, and no certificate of anybody.
 */
import { generateKeyPairSync, X509Certificate } from "node:crypto";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { createCsr } from "../../core/x509/create-csr.ts";
import { GONE_PROXY, KubeOperator, PROXY_ACCOUNT } from "../fakes/kube-operator.ts";

const HOUR_MS = 3_600_000;
const operator = new KubeOperator();
const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
const csr = createCsr(privateKey);
const { signal } = new AbortController();

beforeAll(() => operator.start());
afterAll(() => operator.close());

/** The SANs of what is issued. */
async function ask(token: string, workload: string): Promise<string | undefined> {
  const [leaf] = await operator.clientWith(token).certify({ workload, csr, signal });
  return new X509Certificate(leaf ?? "").subjectAltName;
}

test("operator: a node's own token gets the identities of its own running pods, whatever the others get", async () => {
  const identity = "URI:spiffe://cluster.local/ns/shop/sa/";
  expect(await ask(operator.nodeToken("node-a"), "web")).toBe(`${identity}web`);
  expect(await ask(operator.nodeToken("node-b"), "api-2")).toBe(`${identity}api`);
});

interface Theft {
  readonly what: string;
  readonly token: () => string;
  readonly workload: string;
  readonly refusal: string;
  /** What the audit says besides. */
  readonly detail: string;
}

/** The token is good, but not for this pod. */
const WRONG_PODS: readonly Theft[] = [
  ["a pod of another node", "web", "workload_on_other_node", "not scheduled to the node"],
  ["a pod that has succeeded", "done", "workload_ended", "the pod has ended"],
  ["a pod that has failed", "crashed", "workload_ended", "the pod has ended"],
  ["a pod's former UID, where one of its name runs again", "api", "workload_unknown", "no pod"],
  ["a pod by its name", "shop/api", "workload_unknown", "no pod has this UID"],
  ["a pod that never was", "nobody", "workload_unknown", "no pod has this UID"],
  ["a pod of a namespace that is not in the mesh", "outsider", "workload_unknown", "no pod"],
  ["the operator's pod", "operator", "workload_unknown", "no pod has this UID"],
].map(([what = "", workload = "", refusal = "", detail = ""]) => {
  return { what, workload, refusal, detail, token: () => operator.nodeToken("node-b") };
});

const gone = { name: "weft-node-proxy-node-b", uid: GONE_PROXY, node: "node-b" };
const web = { name: "web", uid: "web", node: "node-a" };

/** The pod is the node's own, but the token is none of a node proxy that lives. */
const WRONG_TOKENS: readonly Theft[] = (
  [
    [
      "for another audience",
      () => operator.nodeToken("node-b", { audience: "https://kubernetes.default.svc" }),
      'not_authenticated: token audiences ["https://kubernetes.default.svc"]',
    ],
    [
      "that has expired",
      () => operator.nodeToken("node-b", { expiresMs: Date.now() - 2000 }),
      "not_authenticated: [invalid bearer token, service account token has expired]",
    ],
    [
      "that is not valid yet",
      () => operator.nodeToken("node-b", { notBeforeMs: Date.now() + HOUR_MS }),
      "not_authenticated: [invalid bearer token, service account token is not valid yet]",
    ],
    [
      "of a node proxy's pod that was deleted",
      () => operator.nodeToken("node-b", { pod: gone }),
      "not_authenticated: [invalid bearer token, service account token has been invalidated]",
    ],
    [
      "of the account that is bound to no pod",
      () => operator.tokens.create({ account: PROXY_ACCOUNT, audience: "weft" }),
      "not_bound_to_a_pod",
    ],
    [
      "of a workload",
      () => operator.nodeToken("node-b", { account: "shop/web", pod: web }),
      "other_account",
    ],
    [
      "of an account of the same name in another namespace",
      () => operator.nodeToken("node-b", { account: "shop/weft-node-proxy", pod: web }),
      "other_account",
    ],
    [
      "of the operator itself",
      () => operator.nodeToken("node-b", { account: "weft-system/weft-operator" }),
      "other_account",
    ],
    [
      "that names another node than was signed",
      () => forged(operator.nodeToken("node-a"), operator.nodeToken("node-b")),
      "not_authenticated: [invalid bearer token, square/go-jose",
    ],
    ["without a signature", () => unsigned(operator.nodeToken("node-b")), "not_authenticated"],
  ] as const
).map(([what, token, detail]) => {
  return { what: `a token ${what}`, token, workload: "api-2", refusal: "bad_token", detail };
});

/** The claims of one under the signature of another. */
function forged(signed: string, wanted: string): string {
  return [...wanted.split(".").slice(0, 2), signed.split(".")[2]].join(".");
}

function unsigned(token: string): string {
  const header = Buffer.from('{"alg":"none"}').toString("base64url");
  return `${header}.${token.split(".")[1]}.`;
}

test.each([...WRONG_PODS, ...WRONG_TOKENS])(
  "operator: $what gets nothing: $refusal, told, counted and audited",
  async ({ token, workload, refusal, detail }) => {
    const shown = token();
    const before = await refusals(refusal);
    const linesBefore = operator.process.linesWith("certificate refused").length;
    await expect(ask(shown, workload)).rejects.toMatchObject({ refusal });
    expect((await refusals(refusal)) - before).toBe(1);
    const lines = operator.process.linesWith("certificate refused").slice(linesBefore);
    expect(lines.map((line) => JSON.parse(line) as unknown)).toEqual([
      expect.objectContaining({
        reason: refusal,
        detail: expect.stringContaining(detail),
        // Who has not said credibly who it is has no node.
        node: refusal === "bad_token" ? "" : "node-b",
        workload,
        address: "127.0.0.1",
      }),
    ]);
    // Nothing by which the token could be used by whoever reads the log.
    expect(lines[0]).not.toContain(shown.slice(-40));
  },
);

test("operator: a refused token stays refused when it is tried again, and one API server away refuses nobody for good", async () => {
  const shown = operator.nodeToken("node-b", { expiresMs: Date.now() - 2000 });
  for (let i = 0; i < 3; i += 1) {
    await expect(ask(shown, "api-2")).rejects.toMatchObject({ refusal: "bad_token" });
  }
  operator.server.isFailing = true;
  const fresh = operator.nodeToken("node-b", { expiresMs: Date.now() + HOUR_MS / 2 });
  await expect(ask(fresh, "api-2")).rejects.toMatchObject({
    reason: "overloaded",
    refusal: "review_unavailable",
  });
  operator.server.isFailing = false;
  expect(await ask(fresh, "api-2")).toContain("sa/api");
});

async function refusals(reason: string): Promise<number> {
  const page = await operator.process.metrics();
  const [, count = "0"] =
    new RegExp(`certificates_refused_total\\{reason="${reason}"\\} (\\d+)`).exec(page) ?? [];
  return Number(count);
}
