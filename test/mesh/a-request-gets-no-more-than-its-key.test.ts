/**
 * Requests for a certificate that ask for more than a node may have, or are none, sent to the real operator: refused
 * with their reason, counted and audited; or answered with exactly what the operator says, and nothing of what was asked.
 */
import { execFileSync } from "node:child_process";
import { generateKeyPairSync, type KeyObject, X509Certificate } from "node:crypto";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import type { Certificate } from "../../core/x509/certificate.ts";
import { createCsr } from "../../core/x509/create-csr.ts";
import { parseCertificate } from "../../core/x509/parse-certificate.ts";
import { type Craft, dnsName, otherName, uriName } from "../fakes/crafted-ca.ts";
import { craftCsr } from "../fakes/crafted-csr.ts";
import { KubeOperator } from "../fakes/kube-operator.ts";

const operator = new KubeOperator();
const { signal } = new AbortController();
const key = p256();

beforeAll(() => operator.start());
afterAll(() => operator.close());

function p256(): KeyObject {
  return generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey;
}

async function ask(csr: Uint8Array, workload = "web", node = "node-a"): Promise<Certificate> {
  const client = operator.clientWith(operator.nodeToken(node));
  const [der] = await client.certify({ workload, csr, signal });
  const parsed = parseCertificate(der ?? new Uint8Array());
  if (parsed.kind === "malformed") throw new Error(parsed.message);
  return parsed.certificate;
}

const OTHER = uriName("spiffe://cluster.local/ns/weft-system/sa/weft-operator");
const WISHES: readonly (readonly [string, Craft & { readonly name?: string }])[] = [
  ["the URI of another", { names: [OTHER] }],
  [
    "two URIs, its own among them",
    { names: [uriName("spiffe://cluster.local/ns/shop/sa/web"), OTHER] },
  ],
  ["DNS names", { names: [dnsName("weft-operator.weft-system.svc"), dnsName("*")] }],
  ["another kind of name", { names: [otherName("spiffe://cluster.local/ns/shop/sa/admin")] }],
  ["a common name", { name: "spiffe://cluster.local/ns/shop/sa/admin" }],
  ["to be a CA", { isCa: true, pathLength: 3 }],
  ["to sign certificates and CRLs", { keyUsage: 0b0000_0110 }],
  ["to sign code", { extendedKeyUsage: ["1.3.6.1.5.5.7.3.3", "2.5.29.37.0"] }],
  ["an extension that nobody knows, critical", { criticalUnknown: true }],
];

test.each(WISHES)(
  "operator: a request for %s gets what the operator says, nothing else",
  async (_, { name, ...extensions }) => {
    const commonName = name === undefined ? {} : { commonName: name };
    const asked = await ask(craftCsr({ key, extensions, ...commonName, password: "challenge" }));
    const plain = await ask(createCsr(key));
    expect(shapeOf(asked)).toEqual(shapeOf(plain));
    expect(new X509Certificate(asked.der).subjectAltName).toBe(
      "URI:spiffe://cluster.local/ns/shop/sa/web",
    );
  },
);

/** All but serial number, times and signature. */
function shapeOf(certificate: Certificate): object {
  const { der, tbs, signature, serial, notBeforeMs, notAfterMs, ...rest } = certificate;
  const lengths = [der, tbs, serial].map(
    (octets) => octets.length - (octets === der ? signature.length : 0),
  );
  return { ...rest, lengths, lifeMs: Math.round((notAfterMs - notBeforeMs) / 60_000) };
}

test("operator: one request sent twice gives two certificates of one key, and a key may stand for two identities", async () => {
  const csr = createCsr(key);
  const [first, again, other] = [await ask(csr), await ask(csr), await ask(csr, "api-2", "node-b")];
  // A replay is worth nothing to whoever has no key; who has one may have as many certificates as it asks for.
  expect(again.publicKey).toEqual(first.publicKey);
  expect(again.serial).not.toEqual(first.serial);
  expect(other.alternativeNames.uris).toEqual(["spiffe://cluster.local/ns/shop/sa/api"]);
});

function ec(namedCurve: string): Uint8Array {
  return craftCsr({ key: generateKeyPairSync("ec", { namedCurve }).privateKey });
}

function rsa(modulusLength: number): Uint8Array {
  return craftCsr({ key: generateKeyPairSync("rsa", { modulusLength }).privateKey });
}

/** Of whoever has no P-256 key, only a signature for one. */
function withOctet(at: number): Uint8Array {
  const csr = Uint8Array.from(createCsr(key));
  const index = at < 0 ? csr.length + at : at;
  csr[index] = (csr[index] ?? 0) ^ 1;
  return csr;
}

/** A TLV of `length` octets, as it says itself. */
function junk(length: number, says = length): Uint8Array {
  const header = [0x30, 0x83, (says >> 16) & 0xff, (says >> 8) & 0xff, says & 0xff];
  return Uint8Array.from([...header, ...new Uint8Array(length)]);
}

function nested(depth: number): Uint8Array {
  let der: Uint8Array = Uint8Array.of(5, 0);
  for (let i = 0; i < depth; i += 1) {
    const { length } = der;
    const header = length < 128 ? [0x30, length] : [0x30, 0x82, length >> 8, length & 0xff];
    der = Uint8Array.from([...header, ...der]);
  }
  return der;
}

function pem(): Uint8Array {
  const body = Buffer.from(createCsr(key)).toString("base64");
  return Buffer.from(
    `-----BEGIN CERTIFICATE REQUEST-----\n${body}\n-----END CERTIFICATE REQUEST-----\n`,
  );
}

const REFUSED: readonly (readonly [string, string, () => Uint8Array])[] = [
  ["an RSA key of 1024 bits", "csr_key", () => rsa(1024)],
  ["an RSA key of 2048 bits", "csr_key", () => rsa(2048)],
  ["a key on P-224", "csr_key", () => ec("secp224r1")],
  ["a key on P-384", "csr_key", () => ec("secp384r1")],
  ["a key on P-521", "csr_key", () => ec("secp521r1")],
  ["a key on secp256k1", "csr_key", () => ec("secp256k1")],
  ["an Ed25519 key", "csr_key", () => craftCsr({ key: generateKeyPairSync("ed25519").privateKey })],
  ["a point that is not on the curve", "csr_key", () => withOctet(60)],
  ["a signature with another octet", "csr_signature", () => withOctet(-1)],
  [
    "somebody else's key, signed by the asker's own",
    "csr_signature",
    () => craftCsr({ key, signer: p256() }),
  ],
  [
    "a key of nobody, signed by RSA",
    "csr_signature",
    () => craftCsr({ key, signer: generateKeyPairSync("rsa", { modulusLength: 2048 }).privateKey }),
  ],
  ["nothing", "csr_malformed", () => new Uint8Array()],
  ["PEM", "csr_malformed", pem],
  ["a certificate", "csr_malformed", () => new X509Certificate(operator.rootsPem()).raw],
  ["more behind it", "csr_malformed", () => Buffer.concat([createCsr(key), Uint8Array.of(0)])],
  ["its last octet missing", "csr_malformed", () => createCsr(key).subarray(0, -1)],
  ["9 KB of zeros", "csr_malformed", () => junk(9_000)],
  ["a length of 16 MB", "csr_malformed", () => junk(100, 0xffffff)],
  ["a depth of 3,000", "csr_malformed", () => nested(3_000)],
  ["a gigantic version", "csr_malformed", () => versioned(new Uint8Array(4_000).fill(0x7f))],
  ["a negative version", "csr_malformed", () => versioned(Uint8Array.of(0xff))],
  ["17 KB", "csr_malformed", () => junk(17_000)],
  ["a megabyte of junk", "message_too_large", () => junk(1_000_000)],
];

/** A request whose version is not 0. */
function versioned(octets: Uint8Array): Uint8Array {
  const { length } = octets;
  const header = length < 128 ? [2, length] : [2, 0x82, length >> 8, length & 0xff];
  const version = Uint8Array.from([...header, ...octets]);
  const info = Buffer.concat([version, createCsr(key).subarray(8)]);
  const whole = [0x30, 0x82, info.length >> 8, info.length & 0xff];
  return Uint8Array.from([...whole, ...info]);
}

test.each(REFUSED)(
  "operator: a request with %s is refused: %s, told, counted and audited",
  async (_, reason, csr) => {
    const before = await refusals(reason);
    const linesBefore = operator.process.linesWith("certificate refused").length;
    await expect(ask(csr())).rejects.toMatchObject({ refusal: reason });
    expect((await refusals(reason)) - before).toBe(1);
    const lines = operator.process.linesWith("certificate refused").slice(linesBefore);
    expect(lines.map((line) => JSON.parse(line) as unknown)).toEqual([
      expect.objectContaining({
        reason,
        node: "node-a",
        workload: reason === "message_too_large" ? "" : "web",
        address: "127.0.0.1",
      }),
    ]);
    expect(lines[0]?.length).toBeLessThan(600);
  },
);

test("operator: requests by openssl are read too", async () => {
  const openssl = ["req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"];
  const wishes = ["-subj", "/CN=x", "-addext", "subjectAltName=DNS:evil.example"];
  const csr = execFileSync(
    "openssl",
    [...openssl, ...wishes, "-keyout", "/dev/null", "-outform", "DER"],
    { stdio: "pipe" },
  );
  expect((await ask(csr)).alternativeNames.dnsNames).toEqual([]);
});

async function refusals(reason: string): Promise<number> {
  const page = await operator.process.metrics();
  const [, count = "0"] =
    new RegExp(`certificates_refused_total\\{reason="${reason}"\\} (\\d+)`).exec(page) ?? [];
  return Number(count);
}
