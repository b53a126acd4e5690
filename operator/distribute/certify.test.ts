import { generateKeyPairSync } from "node:crypto";
import { Writable } from "node:stream";
import { Code, type ConnectError } from "@connectrpc/connect";
import { beforeAll, expect, test } from "@jest/globals";
import { pino } from "pino";
import { createCsr } from "../../core/x509/create-csr.ts";
import { createMemoryKeyStore } from "../../test/fakes/memory-key-store.ts";
import { type Authority, createAuthority } from "../ca/authority.ts";
import { createIssuer, type KnownWorkload } from "../ca/issue-for-workload.ts";
import type { Authenticated } from "./authenticate.ts";
import { Certifier, type CertifierOptions, type CertifyOutcome } from "./certify.ts";
import { RefusalLog } from "./refusal-log.ts";

const LIMITS = { perSecond: 1e6, burst: 1e6, waitingPerOwner: 1e6, waiting: 1e6, underWay: 64 };
const { signal } = new AbortController();
const web = { node: "node-a", namespace: "shop", serviceAccount: "web", ended: false };
const WORKLOADS: Readonly<Record<string, KnownWorkload>> = {
  "uid-web": web,
  "uid-ended": { ...web, ended: true },
  "uid-operator": { ...web, namespace: "weft-system", serviceAccount: "weft-operator" },
  "uid-odd": { ...web, namespace: "a/sa/b" },
};
const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
const GOOD = createCsr(privateKey);
const NODE_A = nodePeer("node-a");
let authority: Authority;

beforeAll(async () => {
  const keyStore = createMemoryKeyStore();
  authority = await createAuthority({ keyStore, trustDomain: "cluster.local", now: Date.now() });
});

function nodePeer(node: string): Authenticated {
  return { kind: "node", node, expiresAtMs: Number.POSITIVE_INFINITY };
}

/** The operator's certifier as it is put together, and what it says of each request. */
function createWorld(options: Partial<CertifierOptions> = {}) {
  const lines: string[] = [];
  const outcomes: CertifyOutcome[] = [];
  const sink = new Writable({
    write(chunk, _, done) {
      lines.push(String(chunk));
      done();
    },
  });
  const log = pino(sink);
  const issuer = createIssuer({
    authority,
    findWorkload: (uid) => WORKLOADS[uid],
    trustDomain: () => "cluster.local",
    leafLifetimeSeconds: () => 3600,
    log,
  });
  const refusals = new RefusalLog({
    log,
    identityOf: (uid) => WORKLOADS[uid] && `spiffe://of/${WORKLOADS[uid].serviceAccount}`,
    now: () => performance.now(),
  });
  const certifier = new Certifier({
    issue: (request) => issuer.issue(request),
    now: Date.now,
    onOutcome: (outcome) => {
      outcomes.push(outcome);
      if (outcome.kind === "refused") refusals.write(outcome);
    },
    ...options,
  });
  return { certifier, lines, outcomes };
}

interface Asked {
  readonly workload?: string;
  readonly csr?: Uint8Array;
  readonly caller?: Authenticated;
}

function ask(
  certifier: Certifier,
  { workload = "uid-web", csr = GOOD, caller = NODE_A }: Asked = {},
) {
  return certifier.certify({ caller, address: "10.0.0.9", request: { csr, workload }, signal });
}

async function refusalOf(answer: Promise<unknown>): Promise<ConnectError> {
  const [settled] = await Promise.allSettled([answer]);
  if (settled.status !== "rejected") throw new Error("a certificate was issued");
  return settled.reason as ConnectError;
}

function otherCurve(): Uint8Array {
  const { privateKey: other } = generateKeyPairSync("ec", { namedCurve: "P-384" });
  return createCsr(other);
}

/** The proof is of another key than the one in it. */
function unproven(): Uint8Array {
  const csr = Uint8Array.from(GOOD);
  const last = csr.length - 1;
  csr[last] = (csr[last] ?? 0) ^ 1;
  return csr;
}

const NODE_B = nodePeer("node-b");
type Case = readonly [reason: string, code: Code, asked: Asked];

const CASES: readonly Case[] = [
  ["workload_unknown", Code.NotFound, { workload: "uid-nobody" }],
  ["workload_on_other_node", Code.PermissionDenied, { caller: NODE_B }],
  ["workload_ended", Code.PermissionDenied, { workload: "uid-ended" }],
  ["identity_malformed", Code.PermissionDenied, { workload: "uid-odd" }],
  ["identity_reserved", Code.PermissionDenied, { workload: "uid-operator" }],
  ["csr_malformed", Code.InvalidArgument, { csr: new Uint8Array() }],
  ["csr_malformed", Code.InvalidArgument, { csr: new Uint8Array(17_000).fill(65) }],
  ["csr_malformed", Code.InvalidArgument, { csr: Buffer.from("-----BEGIN") }],
  ["csr_key", Code.InvalidArgument, { csr: otherCurve() }],
  ["csr_signature", Code.InvalidArgument, { csr: unproven() }],
  ...(["no_token", "bad_token", "expired_token", "bad_node_name"] as const).map(
    (reason) =>
      [reason, Code.Unauthenticated, { caller: { kind: "refused", reason } }] satisfies Case,
  ),
  [
    "review_unavailable",
    Code.Unavailable,
    { caller: { kind: "refused", reason: "review_unavailable" } },
  ],
];

test.each(CASES)(
  "certify(): %s is told to the node, counted, and audited in one line",
  async (reason, code, { workload = "uid-web", csr = GOOD, caller = NODE_A }) => {
    const { certifier, lines, outcomes } = createWorld();
    const error = await refusalOf(ask(certifier, { workload, csr, caller }));
    expect([error.code, error.metadata.get("weft-reason")]).toEqual([code, reason]);
    const node = caller.kind === "node" ? caller.node : "";
    expect(outcomes).toMatchObject([{ kind: "refused", reason, node, workload }]);
    expect(lines).toHaveLength(1);
    const line = JSON.parse(lines[0] ?? "") as Readonly<Record<string, unknown>>;
    expect(line).toMatchObject({
      level: 40,
      msg: "certificate refused",
      reason,
      node,
      workload,
      address: "10.0.0.9",
    });
    const known = WORKLOADS[workload];
    expect(line["identity"]).toBe(known && `spiffe://of/${known.serviceAccount}`);
    // Neither the request in any writing, nor more than what is named here.
    expect(lines[0]?.length).toBeLessThan(500);
    const written = (["base64", "hex", "latin1"] as const)
      .map((encoding) => Buffer.from(csr).toString(encoding).slice(4, 40))
      .filter((text) => text !== "");
    expect(written.filter((text) => lines[0]?.includes(text))).toEqual([]);
  },
);

test("certify(): what the review said of a token is for the log, not for the caller", async () => {
  const { certifier, lines } = createWorld();
  const caller = { kind: "refused", reason: "bad_token", detail: "other_audience" } as const;
  const error = await refusalOf(ask(certifier, { caller }));
  expect(JSON.parse(lines[0] ?? "")).toMatchObject({ detail: "other_audience" });
  expect(`${error.message} ${JSON.stringify([...error.metadata])}`).not.toContain("audience");
});

test("certify(): a CA that cannot sign is counted, and no refusal", async () => {
  const { certifier, lines, outcomes } = createWorld({
    issue: () => ({ kind: "unavailable", reason: "ca_expired", message: "over" }),
  });
  expect((await refusalOf(ask(certifier))).code).toBe(Code.Unavailable);
  expect(outcomes).toEqual([{ kind: "unavailable", reason: "ca_expired" }]);
  expect(lines).toEqual([]);
});

test("certify(): one node's ten thousand requests delay another's single one by one or two", async () => {
  const issuedTo: string[] = [];
  const { certifier } = createWorld({
    limits: LIMITS,
    issue: ({ node }) => {
      issuedTo.push(node);
      return { kind: "issued", chain: [], notAfterMs: 0 };
    },
  });
  const greedy = Array.from({ length: 10_000 }, () => ask(certifier));
  await greedy[99];
  const before = issuedTo.length;
  await ask(certifier, { caller: NODE_B });
  expect(issuedTo.indexOf("node-b") - before).toBeLessThanOrEqual(2);
  expect(certifier.waiting).toBeGreaterThan(9_000);
  await Promise.all(greedy);
});

test("certify(): beyond its share a node is refused with a hint when to come back, another is not", async () => {
  const { certifier, outcomes } = createWorld({ limits: { ...LIMITS, perSecond: 2, burst: 5 } });
  const answers = await Promise.allSettled(Array.from({ length: 8 }, () => ask(certifier)));
  const refused = answers.filter(({ status }) => status === "rejected");
  expect(refused).toHaveLength(3);
  for (const each of refused) {
    const { code, metadata } = (each as PromiseRejectedResult).reason as ConnectError;
    expect([code, metadata.get("weft-reason")]).toEqual([
      Code.ResourceExhausted,
      "too_many_requests",
    ]);
    const hintMs = Number(metadata.get("grpc-retry-pushback-ms"));
    expect(hintMs).toBeGreaterThan(0);
    expect(hintMs).toBeLessThanOrEqual(500);
  }
  expect(outcomes.filter(({ kind }) => kind === "issued")).toHaveLength(5);
  const other = await refusalOf(ask(certifier, { caller: NODE_B }));
  expect(other.metadata.get("weft-reason")).toBe("workload_on_other_node");
});

test("certify(): a full queue refuses with a reason for each cause and a hint, and empties", async () => {
  const { certifier } = createWorld({ limits: { ...LIMITS, waitingPerOwner: 2, waiting: 3 } });
  // All asked in one turn of the loop, before any has had its own.
  const taken = [ask(certifier), ask(certifier)];
  const ownRefusal = refusalOf(ask(certifier));
  const fromB = refusalOf(ask(certifier, { caller: NODE_B }));
  const [own, busy] = await Promise.all([
    ownRefusal,
    refusalOf(ask(certifier, { caller: nodePeer("node-c") })),
  ]);
  const reasons = [own, busy].map(({ metadata }) => metadata.get("weft-reason"));
  expect(reasons).toEqual(["too_many_requests", "issuer_busy"]);
  for (const { code, metadata } of [own, busy]) {
    expect(code).toBe(Code.ResourceExhausted);
    expect(Number(metadata.get("grpc-retry-pushback-ms"))).toBeGreaterThan(0);
  }
  await Promise.all(taken);
  expect((await fromB).metadata.get("weft-reason")).toBe("workload_on_other_node");
  expect(certifier.waiting).toBe(0);
  expect((await ask(certifier)).chain.length).toBeGreaterThan(0);
});
