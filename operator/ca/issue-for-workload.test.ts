import { execFileSync } from "node:child_process";
import { generateKeyPairSync, X509Certificate } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Writable } from "node:stream";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import fc from "fast-check";
import { pino } from "pino";
import { createCsr } from "../../core/x509/create-csr.ts";
import { parseCsr } from "../../core/x509/parse-csr.ts";
import { createMemoryKeyStore } from "../../test/fakes/memory-key-store.ts";
import { createAuthority } from "./authority.ts";
import { createIssuer, type Issuer, type KnownWorkload } from "./issue-for-workload.ts";

const lines: string[] = [];
const sink = new Writable({
  write(chunk, _, done) {
    lines.push(String(chunk));
    done();
  },
});
const web = { node: "node-a", namespace: "shop", serviceAccount: "web", ended: false };
const workloads = new Map<string, KnownWorkload>([
  ["uid-web", web],
  ["uid-ended", { ...web, ended: true }],
  ["uid-node-gone", { ...web, nodeGone: true }],
  ["uid-operator", { ...web, namespace: "weft-system", serviceAccount: "weft-operator" }],
  ["uid-odd", { ...web, namespace: "a/sa/b" }],
]);
const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
let directory = "";
let issuer: Issuer;

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), "weft-issue-"));
  const keyStore = createMemoryKeyStore();
  const now = Date.now();
  issuer = createIssuer({
    authority: await createAuthority({ keyStore, trustDomain: "cluster.local", now }),
    findWorkload: (uid) => workloads.get(uid),
    trustDomain: () => "cluster.local",
    leafLifetimeSeconds: () => 3600,
    log: pino(sink),
  });
});

afterAll(() => {
  rmSync(directory, { recursive: true, force: true });
});

function issue(workload: string, csr = createCsr(privateKey), node = "node-a") {
  return issuer.issue({ node, workload, csr, now: Date.now() });
}

test("issue(): a pod of the node that asks gets its account's identity for the key of the request", () => {
  const result = issue("uid-web");
  expect(result.kind).toBe("issued");
  const chain = result.kind === "issued" ? result.chain : [];
  const leaf = new X509Certificate(chain[0] ?? "");
  expect(leaf.subjectAltName).toBe("URI:spiffe://cluster.local/ns/shop/sa/web");
  expect(leaf.checkPrivateKey(privateKey)).toBe(true);
  expect(lines.at(-1)).toContain('"identity":"spiffe://cluster.local/ns/shop/sa/web"');
});

test.each([
  ["uid-nobody", "node-a", "workload_unknown"],
  ["uid-web", "node-b", "workload_on_other_node"],
  ["uid-ended", "node-a", "workload_ended"],
  ["uid-node-gone", "node-a", "node_gone"],
  ["uid-operator", "node-a", "identity_reserved"],
  ["uid-odd", "node-a", "identity_malformed"],
])("issue(): %s asked by %s is refused: %s", (workload, node, reason) => {
  expect(issue(workload, createCsr(privateKey), node)).toMatchObject({ kind: "refused", reason });
});

test("issue(): a CA that has ended while the operator ran is unavailable, which is no refusal of the node", () => {
  const now = Date.now() + 100 * 366 * 24 * 3600 * 1000;
  const csr = createCsr(privateKey);
  expect(issuer.issue({ node: "node-a", workload: "uid-web", csr, now })).toMatchObject({
    kind: "unavailable",
    reason: "ca_expired",
  });
  expect(JSON.parse(lines.at(-1) ?? "")).toMatchObject({ level: 50, reason: "ca_expired" });
});

function openssl(...args: string[]): Buffer {
  execFileSync("openssl", args, { cwd: directory, stdio: "pipe" });
  return readFileSync(join(directory, "csr.der"));
}

const REQUEST = ["req", "-new", "-nodes", "-outform", "DER", "-out", "csr.der", "-keyout", "k.pem"];

test("issue(): what a request by openssl asks for besides its key is ignored", () => {
  const names = "subjectAltName=URI:spiffe://cluster.local/ns/shop/sa/admin,DNS:evil.example";
  const wishes = ["-addext", names, "-addext", "basicConstraints=critical,CA:TRUE"];
  const kind = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-sha256"];
  const csr = openssl(...REQUEST, ...kind, ...wishes, "-subj", "/CN=admin");
  const result = issue("uid-web", csr);
  const leaf = new X509Certificate(result.kind === "issued" ? (result.chain[0] ?? "") : "");
  expect(leaf.subjectAltName).toBe("URI:spiffe://cluster.local/ns/shop/sa/web");
  expect(leaf.subject).toBeFalsy();
  expect(leaf.ca).toBe(false);
});

test.each([
  ["RSA 1024", ["-newkey", "rsa:1024"]],
  ["RSA 4096-bit class", ["-newkey", "rsa:2048"]],
  ["P-521", ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-521"]],
  ["P-224", ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-224"]],
  ["Ed25519", ["-newkey", "ed25519"]],
  [
    "explicit curve parameters",
    ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-pkeyopt", "ec_param_enc:explicit"],
  ],
])("issue(): refuses a request with a key of %s", (_, kind) => {
  const csr = openssl(...REQUEST, ...kind, "-subj", "/CN=x");
  expect(issue("uid-web", csr)).toMatchObject({ kind: "refused", reason: "csr_key" });
});

test("createCsr(): openssl reads it and finds its signature right", () => {
  writeFileSync(join(directory, "ours.der"), createCsr(privateKey));
  const args = ["req", "-inform", "DER", "-in", "ours.der", "-verify", "-noout"];
  expect(() => execFileSync("openssl", args, { cwd: directory, stdio: "pipe" })).not.toThrow();
});

test("issue(): a request of a megabyte, a PEM, nothing at all: malformed", () => {
  for (const csr of [new Uint8Array(1_000_000), Buffer.from("-----BEGIN"), new Uint8Array()]) {
    expect(issue("uid-web", csr)).toMatchObject({ kind: "refused", reason: "csr_malformed" });
  }
});

test("parseCsr(): any change of any octet is refused, and never crashes", () => {
  const der = createCsr(privateKey);
  expect(parseCsr(der).kind).toBe("parsed");
  fc.assert(
    fc.property(fc.nat(der.length - 1), fc.integer({ min: 1, max: 255 }), (at, flip) => {
      const changed = Uint8Array.from(der);
      changed[at] = (changed[at] ?? 0) ^ flip;
      expect(parseCsr(changed).kind).toBe("refused");
    }),
    { numRuns: 2000 },
  );
});

test("parseCsr(): a signature of r = s = 0 proves nothing", () => {
  const der = Buffer.from(createCsr(privateKey));
  const info = der.subarray(3, der.indexOf(Buffer.from("300a06082a8648ce3d040302", "hex")));
  const tail = Buffer.from("300a06082a8648ce3d0403020309003006020100020100", "hex");
  const body = Buffer.concat([info, tail]);
  const forged = Buffer.concat([Buffer.from([0x30, body.length]), body]);
  expect(parseCsr(forged)).toMatchObject({ kind: "refused", reason: "csr_signature" });
});
