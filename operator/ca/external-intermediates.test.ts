import { once } from "node:events";
import { expect, test } from "@jest/globals";
import { createLog } from "../../core/process/log.ts";
import { formatCertificatesPem } from "../../core/x509/pem.ts";
import { CertificateSigner } from "../../test/fakes/certificate-signer.ts";
import { createMemoryKeyStore } from "../../test/fakes/memory-key-store.ts";
import { createAuthority } from "./authority.ts";
import { ExternalIntermediates } from "./external-intermediates.ts";
import type {
  ExternalSigner,
  SignerComplaint,
  SigningAnswer,
  SigningRequest,
} from "./external-signer.ts";
import type { CaMaterial } from "./key-store.ts";

const HOUR_MS = 3_600_000;
const trustDomain = "cluster.local";
const corporate = new CertificateSigner();

type Answer = (request: SigningRequest) => SigningAnswer;

/** Signs as told; by default as it should be. */
function createSource(answer: Answer = good, retry = { minMs: 3_600_000, maxMs: 3_600_000 }) {
  const asked: SigningRequest[] = [];
  const complaints: SignerComplaint[] = [];
  const signer: ExternalSigner = {
    name: "Issuer corporate",
    async sign(request) {
      asked.push(request);
      return answer(request);
    },
    async complain(_request, complaint) {
      complaints.push(complaint);
    },
  };
  const source = new ExternalIntermediates({
    signer,
    leafLifetimeSeconds: () => 48 * 3600,
    log: createLog({ name: "test", level: "fatal" }),
    retry,
  });
  return { source, asked, complaints };
}

function good({ csrPem }: SigningRequest): SigningAnswer {
  return { kind: "signed", chainPem: corporate.sign(csrPem), rootsPem: corporate.rootPem };
}

const signal = new AbortController().signal;

function create({ source }: { readonly source: ExternalIntermediates }, material?: CaMaterial) {
  return source.create({ material, trustDomain, place: "memory", now: Date.now(), signal });
}

async function storedCa(): Promise<CaMaterial> {
  const answer = await create(createSource());
  if (answer.kind === "refused") throw new Error(answer.message);
  const { certificatesPem, keyPem, rootPem } = answer;
  return { certificatesPem, keyPem, rootsPem: rootPem };
}

test("createAuthority(): a mesh whose first CA is signed by somebody else issues leaves, and keeps no root key", async () => {
  const { source, asked } = createSource();
  const keyStore = createMemoryKeyStore();
  const authority = await createAuthority({
    keyStore,
    trustDomain,
    now: Date.now(),
    intermediates: () => source,
  });
  expect(authority.bundle().roots).toEqual([corporate.root.der]);
  expect(asked).toMatchObject([{ isFirst: true, lifetimeSeconds: 31_536_000 }]);
  expect(await keyStore.read()).toMatchObject({ rootsPem: corporate.rootPem });
  expect((await keyStore.read())?.rootKeyPem).toBeUndefined();
  expect(JSON.stringify(source)).not.toContain("PRIVATE");
});

test("create(): the chain above goes along, the root does not, wherever it is told", async () => {
  const between = corporate.createIntermediate();
  const above = formatCertificatesPem([between.der]);
  for (const [chainTail, rootsPem] of [
    [above, corporate.rootPem],
    [above + corporate.rootPem, ""],
    [above, above + corporate.rootPem],
  ] as const) {
    const source = createSource(({ csrPem }) => {
      const chainPem = corporate.sign(csrPem, {}, between) + chainTail;
      return { kind: "signed", chainPem, rootsPem };
    });
    const answer = await create(source);
    if (answer.kind === "refused") throw new Error(answer.message);
    expect(answer.rootPem).toBe(corporate.rootPem);
    expect(answer.certificatesPem.match(/BEGIN/g)).toHaveLength(2);
    expect(answer.certificatesPem.endsWith(above)).toBe(true);
  }
});

test("create(): where the signer tells no root the trusted ones are tried", async () => {
  const source = createSource(({ csrPem }) => {
    return { kind: "signed", chainPem: corporate.sign(csrPem), rootsPem: "" };
  });
  expect(await create(source, await storedCa())).toMatchObject({
    kind: "made",
    rootPem: corporate.rootPem,
  });
});

const other = new CertificateSigner("another root");
const short = new CertificateSigner("short root", { notAfterMs: Date.now() + 10 * HOUR_MS });
const noPath = new CertificateSigner("no path", { pathLength: 0 });
const between = corporate.createIntermediate();
const stranger = createSource();

const unusable: readonly (readonly [string, (csrPem: string) => string, string, RegExp])[] = [
  ["no PEM", () => "not a certificate", corporate.rootPem, /no certificate/],
  ["a root that did not sign it", (csr) => other.sign(csr), corporate.rootPem, /self-signed root/],
  [
    "an issuer that tells no root",
    (csr) => corporate.sign(csr, {}, between),
    formatCertificatesPem([between.der]),
    /self-signed root/,
  ],
  [
    "a leaf",
    (csr) => corporate.sign(csr, { usage: "leaf" }),
    corporate.rootPem,
    /may not sign certificates/,
  ],
  [
    "one that has ended",
    (csr) => corporate.sign(csr, { notAfterMs: Date.now() - 1000, notBeforeMs: 0 }),
    corporate.rootPem,
    /chain_expired/,
  ],
  [
    "one of the day after tomorrow",
    (csr) => corporate.sign(csr, { notBeforeMs: Date.now() + 48 * HOUR_MS }),
    corporate.rootPem,
    /chain_not_yet_valid/,
  ],
  [
    "one that ends before a leaf of the mesh",
    (csr) => corporate.sign(csr, { notAfterMs: Date.now() + 47 * HOUR_MS }),
    corporate.rootPem,
    /sooner than a leaf/,
  ],
  ["a root that ends before a leaf", (csr) => short.sign(csr), short.rootPem, /sooner than a leaf/],
  [
    "a root that allows no CA below it",
    (csr) => noPath.sign(csr),
    noPath.rootPem,
    /chain_too_long/,
  ],
];

for (const [what, sign, rootsPem, message] of unusable) {
  test(`create(): ${what} is told and not taken`, async () => {
    const source = createSource(({ csrPem }) => {
      return { kind: "signed", chainPem: sign(csrPem), rootsPem };
    });
    const answer = await create(source, await storedCa());
    expect(answer).toMatchObject({
      kind: "refused",
      reason: "SignerDenied",
      message: expect.stringMatching(message),
    });
    expect(source.complaints).toMatchObject([{ reason: "IntermediateUnusable" }]);
  });
}

test("create(): a certificate for somebody else's key is not taken", async () => {
  await create(stranger, await storedCa());
  const theirs = stranger.asked[0]?.csrPem ?? "";
  const source = createSource(() => {
    return { kind: "signed", chainPem: corporate.sign(theirs), rootsPem: corporate.rootPem };
  });
  expect(await create(source, await storedCa())).toMatchObject({
    message: expect.stringContaining("does not belong to"),
  });
});

test("create(): a signer whose clock is ahead is waited for", async () => {
  const aheadMs = 1500;
  const source = createSource(({ csrPem }) => {
    const chainPem = corporate.sign(csrPem, { notBeforeMs: Date.now() + aheadMs });
    return { kind: "signed", chainPem, rootsPem: corporate.rootPem };
  });
  expect(await create(source)).toMatchObject({ kind: "made" });
});

test("create(): a refusal is given again for a while, without asking", async () => {
  const source = createSource(() => ({ kind: "denied", message: "policy says no" }));
  const material = await storedCa();
  for (let i = 0; i < 3; i++) {
    expect(await create(source, material)).toMatchObject({
      kind: "refused",
      message: "Issuer corporate: policy says no",
    });
  }
  expect(source.asked).toHaveLength(1);
  expect(source.complaints).toEqual([{ reason: "IntermediateDenied", message: "policy says no" }]);
});

test("create(): the first CA is asked for until it is signed, each time with another key", async () => {
  let refusals = 3;
  const source = createSource(
    (request) => (refusals-- > 0 ? { kind: "denied", message: "not yet" } : good(request)),
    { minMs: 1, maxMs: 2 },
  );
  expect(await create(source)).toMatchObject({ kind: "made" });
  expect(new Set(source.asked.map(({ mark }) => mark)).size).toBe(4);
});

test("create(): nobody waits any more once the signal aborts", async () => {
  const source = createSource(() => ({ kind: "denied", message: "no" }));
  const abort = new AbortController();
  const request = { material: undefined, trustDomain, place: "memory", now: 0 };
  const answer = source.source.create({ ...request, signal: abort.signal });
  const aborted = once(abort.signal, "abort");
  abort.abort();
  await aborted;
  await expect(answer).rejects.toThrow(/abort/);
});

test("create(): an answer that nobody has stored is given again; one that was stored, or retired, is not", async () => {
  const source = createSource();
  const material = await storedCa();
  const first = await create(source, material);
  expect(await create(source, material)).toEqual(first);
  expect(source.asked).toHaveLength(1);
  if (first.kind === "refused") throw new Error(first.message);
  const { certificatesPem, keyPem } = first;
  const second = await create(source, { ...material, certificatesPem, keyPem });
  expect(second).not.toEqual(first);
  expect(source.asked).toHaveLength(2);
  if (second.kind === "refused") throw new Error(second.message);
  const retired = { ...material, retiredPem: material.rootsPem + second.certificatesPem };
  expect(await create(source, retired)).not.toEqual(second);
  expect(source.asked).toHaveLength(3);
});
