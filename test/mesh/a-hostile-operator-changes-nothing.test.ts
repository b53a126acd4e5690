/**
 * An operator that answers late, wrong, for somebody else, half or not at all, over the real line: the node keeps the
 * leaf that it has and serves it on, says why, asks again with growing pauses, and takes the first honest answer.
 */
import { generateKeyPairSync, X509Certificate } from "node:crypto";
import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { pino } from "pino";
import { parseCsr } from "../../core/x509/parse-csr.ts";
import type { ServedLeaf } from "../../nodeproxy/channel/messages.ts";
import { CertifyClient } from "../../nodeproxy/control/certify.ts";
import { type Certificates, createCertificates } from "../../nodeproxy/identity/certificates.ts";
import type { Issued, IssueRequest } from "../../operator/distribute/certify.ts";
import { type Crafted, createCraftedRoot, uriName } from "../fakes/crafted-ca.ts";
import {
  LineCa,
  LineConfig,
  type LineOperator,
  OPERATOR,
  openLineOperator,
  openRelay,
  type Relay,
} from "../fakes/line-operator.ts";
import { until } from "../world/until.ts";

const IDENTITY = { trustDomain: "cluster.local", namespace: "shop", serviceAccount: "web" };
const URI = "spiffe://cluster.local/ns/shop/sa/web";
const HOUR_MS = 3_600_000;
const ca = new LineCa();
const root = createCraftedRoot("mesh root");
const middle = root.issue({
  commonName: "intermediate",
  isCa: true,
  pathLength: 0,
  keyUsage: 0b110,
});

type Answer = (request: IssueRequest) => Issued | Promise<Issued>;

interface Line {
  readonly level: number;
  readonly msg: string;
  readonly reason?: string;
  readonly error?: string;
  readonly atMs: number;
}

let operator: LineOperator;
let relay: Relay;
let client: CertifyClient;
let certificates: Certificates;
let answer: Answer;
let served: ServedLeaf[];
let dropped: string[];
let lines: Line[];

beforeEach(async () => {
  served = [];
  dropped = [];
  lines = [];
  answer = honest;
  operator = await openLineOperator({
    config: new LineConfig(),
    identity: ca.identity(),
    issue: (request) => answer(request),
  });
  relay = await openRelay(operator.port);
  client = new CertifyClient({
    address: `127.0.0.1:${relay.port}`,
    roots: () => ca.rootsPem,
    serverIdentity: OPERATOR,
    token: async () => "node-a",
  });
  const bundle = { trustDomain: "cluster.local", roots: [root.der], issuer: "", retired: [] };
  certificates = createCertificates({
    certify: (workload, csr, signal) => client.certify({ workload, csr, signal }),
    bundles: () => [bundle],
    now: Date.now,
    random: () => 0.5,
    log: pino(
      { level: "trace" },
      { write: (line) => lines.push({ ...JSON.parse(line), atMs: performance.now() }) },
    ),
    onLeaf: (leaf) => served.push(leaf),
    onDropped: (identity) => dropped.push(identity),
  });
  certificates.need("uid-web", IDENTITY);
  await until("the first leaf", () => served[0]);
});

afterEach(async () => {
  certificates.close();
  await client.close();
  await relay.close();
  await operator.close(0);
});

function keyOf({ csr }: IssueRequest): Uint8Array {
  const parsed = parseCsr(csr);
  if (parsed.kind === "refused") throw new Error(parsed.message);
  return parsed.publicKey;
}

function issued(chain: readonly Uint8Array[]): Issued {
  return { kind: "issued", chain, notAfterMs: Date.now() + HOUR_MS };
}

function honest(request: IssueRequest): Issued {
  return issued(middle.issue({ names: [uriName(URI)], subjectKey: keyOf(request) }).chain);
}

/** What should be there, changed by `craft`, by this issuer. */
function crafted(craft: Parameters<Crafted["issue"]>[0], issuer = middle): Answer {
  return (request) => {
    const names = [uriName(URI)];
    return issued(issuer.issue({ names, subjectKey: keyOf(request), ...craft }).chain);
  };
}

/** The chain of an honest answer, changed. */
function altered(change: (chain: readonly Uint8Array[]) => readonly Uint8Array[]): Answer {
  return (request) => {
    const told = honest(request);
    return told.kind === "issued" ? issued(change(told.chain)) : told;
  };
}

const stranger = createCraftedRoot("stranger");
const sameName = createCraftedRoot("mesh root");
const past = { notBeforeMs: Date.now() - 2 * HOUR_MS, notAfterMs: Date.now() - HOUR_MS };
const future = { notBeforeMs: Date.now() + HOUR_MS, notAfterMs: Date.now() + 2 * HOUR_MS };
const weak = generateKeyPairSync("rsa", { modulusLength: 1024 });
const tooWeak = root.issue({ commonName: "weak", isCa: true, keyUsage: 0b110, keys: weak });
const OTHER_URI = uriName("spiffe://cluster.local/ns/shop/sa/admin");

function busy(): Issued {
  return { kind: "refused", reason: "too_many_requests", message: "for ever" };
}

const HOSTILE: readonly (readonly [string, string, Answer])[] = [
  ["another identity", "issued_to_other_identity", crafted({ names: [OTHER_URI] })],
  ["two identities", "several_uris", crafted({ names: [uriName(URI), OTHER_URI] })],
  ["no identity", "no_spiffe_id", crafted({ names: [] })],
  ["a leaf that has ended", "chain_expired", crafted(past)],
  ["a leaf that is not valid yet", "chain_not_yet_valid", crafted(future)],
  ["a leaf for somebody else's key", "issued_for_other_key", () => honestForAnother()],
  ["a leaf that is a CA", "leaf_is_ca", crafted({ isCa: true, keyUsage: 0b1000_0000 })],
  ["a leaf that may sign", "key_usage", crafted({ keyUsage: 0b1000_0100 })],
  ["a leaf for servers only", "extended_key_usage", crafted({ extendedKeyUsage: [] })],
  ["a chain without its intermediate", "chain_unknown_root", altered((chain) => chain.slice(0, 1))],
  ["a chain without its leaf", "leaf_is_ca", altered((chain) => chain.slice(1))],
  ["no chain", "empty_chain", altered(() => [])],
  ["a chain of another root", "chain_unknown_root", crafted({}, stranger)],
  ["a chain of another root of the same name", "chain_signature", crafted({}, sameName)],
  ["a chain by a key of RSA 1024", "chain_signature", crafted({}, tooWeak)],
  ["a chain of a hundred", "chain_too_long", altered(([leaf = root.der]) => Array(100).fill(leaf))],
  ["no DER", "chain_malformed", altered(() => [Buffer.from("no certificate")])],
  [
    "a cut leaf",
    "chain_malformed",
    altered(([leaf, ...rest]) => [leaf?.subarray(0, -9) ?? root.der, ...rest]),
  ],
  [
    "ten megabytes",
    "broken_answer",
    altered(([leaf = root.der]) => [leaf, new Uint8Array(10_000_000)]),
  ],
  [
    "that the pod is not known",
    "refused",
    () => ({ kind: "refused", reason: "workload_unknown", message: "" }),
  ],
  [
    "that its CA cannot sign",
    "overloaded",
    () => ({ kind: "unavailable", reason: "ca_expired", message: "" }),
  ],
  [
    "with a failure of its own",
    "broken_answer",
    () => {
      throw new Error("broken");
    },
  ],
];

function honestForAnother(): Issued {
  return issued(middle.issue({ names: [uriName(URI)] }).chain);
}

test.each(HOSTILE)(
  "an operator that answers %s: %s; the leaf before is served on",
  async (_, reason, hostile) => {
    const [first] = served;
    answer = hostile;
    certificates.renewAll();
    const failures = await untilFailed(2);
    expect(new Set(failures.map((line) => line.reason))).toEqual(new Set([reason]));
    expectUnchanged(first);
    await expectRecovery(first);
  },
);

test("an operator that has too much to do, for ever, is asked again with growing pauses", async () => {
  const [first] = served;
  answer = busy;
  certificates.renewAll();
  const failures = await untilFailed(4);
  expect(new Set(failures.map(({ reason }) => reason))).toEqual(new Set(["overloaded"]));
  const times = failures.map(({ atMs }) => atMs);
  const pauses = times.slice(1).map((atMs, i) => atMs - (times[i] ?? 0));
  expect(pauses).toEqual(pauses.toSorted((one, other) => one - other));
  expectUnchanged(first);
  await expectRecovery(first);
});

test("an operator that answers after the node's patience is over changes nothing, then or later", async () => {
  const [first] = served;
  const late = Promise.withResolvers<void>();
  answer = async (request) => {
    await late.promise;
    return honest(request);
  };
  certificates.renewAll();
  const [failure] = await untilFailed(1);
  expect(failure).toMatchObject({ reason: "timed_out" });
  late.resolve();
  expectUnchanged(first);
  await expectRecovery(first);
});

test("an operator that is cut off in the middle of its answer changes nothing", async () => {
  const [first] = served;
  const { port } = relay;
  answer = async (request) => {
    await relay.close();
    return honest(request);
  };
  certificates.renewAll();
  const failures = await untilFailed(2);
  // Cut first, then nobody there.
  expect(failures.map(({ reason }) => reason)).toEqual(["broken_answer", "operator_unreachable"]);
  expectUnchanged(first);
  relay = await openRelay(operator.port, port);
  await expectRecovery(first);
});

async function untilFailed(count: number): Promise<readonly Line[]> {
  return until(`${count} failures`, () => {
    const failures = lines.filter(({ msg }) => msg === "certificate not renewed");
    return failures.length >= count ? failures : undefined;
  });
}

function expectUnchanged(first: ServedLeaf | undefined): void {
  expect(served).toHaveLength(1);
  expect(dropped).toEqual([]);
  expect(certificates.leaves()).toEqual([first]);
  expect(certificates.isServed("uid-web")).toBe(true);
  // Neither a key nor a certificate of the stranger's is told.
  expect(JSON.stringify(lines)).not.toMatch(/PRIVATE KEY|BEGIN CERTIFICATE/);
}

async function expectRecovery(first: ServedLeaf | undefined): Promise<void> {
  answer = honest;
  const second = await until("an honest leaf", () => served[1]);
  expect(second.identity).toBe(first?.identity);
  expect(new X509Certificate(second.chainPem).serialNumber).not.toBe(
    new X509Certificate(first?.chainPem ?? "").serialNumber,
  );
  expect(certificates.leaves()).toEqual([second]);
}
