import { execFileSync } from "node:child_process";
import { createPrivateKey, generateKeyPairSync, randomBytes } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import fc from "fast-check";
import type { Certificate } from "./certificate.ts";
import { DerError } from "./der-reader.ts";
import { type Der, encodeDer, implicit, octetString, sequence, unsigned } from "./der-writer.ts";
import { isPermitted, parseNameConstraints } from "./name-constraints.ts";
import { parseCertificate } from "./parse-certificate.ts";
import { formatCertificatesPem, parseCertificatesPem } from "./pem.ts";
import {
  type CertificateTemplate,
  createSerial,
  EMPTY_NAME,
  keyIdentifier,
  signCertificate,
} from "./sign-certificate.ts";
import { verifyChain } from "./verify-chain.ts";

type Names = CertificateTemplate["names"];

const now = Date.now();
let directory = "";

function openssl(...args: readonly string[]): string {
  return execFileSync("openssl", args, { cwd: directory, encoding: "utf8", stdio: "pipe" });
}

beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), "weft-constraints-"));
  openssl("ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", "ca.key");
});

afterAll(() => {
  rmSync(directory, { recursive: true, force: true });
});

function createConstrainedRoot(constraints: string): Certificate {
  writeFileSync(
    join(directory, "ca.cnf"),
    `[req]\ndistinguished_name=dn\nx509_extensions=ext\n[dn]\n[other]\nO=Other\n[ext]\nbasicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign\nsubjectKeyIdentifier=hash\nnameConstraints=critical,${constraints}\n`,
  );
  const make = ["-key", "ca.key", "-subj", "/O=Org", "-days", "9", "-out", "ca.pem"];
  openssl("req", "-x509", "-config", "ca.cnf", ...make);
  const pem = parseCertificatesPem(readFileSync(join(directory, "ca.pem"), "utf8"));
  const parsed = pem.kind === "parsed" && parseCertificate(pem.certificates[0] ?? EMPTY_NAME);
  if (!parsed || parsed.kind !== "parsed") throw new Error("root does not parse");
  return parsed.certificate;
}

function signLeaf(root: Certificate, names: Names): Uint8Array {
  const { publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const spki = publicKey.export({ format: "der", type: "spki" });
  const template: CertificateTemplate = {
    serial: createSerial(randomBytes(16)),
    issuer: root.subject,
    subject: EMPTY_NAME,
    notBeforeMs: now - 1000,
    notAfterMs: now + 3_600_000,
    publicKey: spki,
    subjectKeyId: keyIdentifier(spki),
    authorityKeyId: root.subjectKeyId ?? EMPTY_NAME,
    usage: "leaf",
    names,
  };
  return signCertificate(template, createPrivateKey(readFileSync(join(directory, "ca.key"))));
}

function judge(root: Certificate, leaf: Uint8Array): string {
  const result = verifyChain({ chain: [leaf], roots: [root.der], now: Date.now() });
  return result.kind === "verified" ? "permitted" : result.reason;
}

function judgeByOpenssl(leaf: Uint8Array): string {
  writeFileSync(join(directory, "leaf.pem"), formatCertificatesPem([leaf]));
  try {
    openssl("verify", "-CAfile", "ca.pem", "leaf.pem");
    return "permitted";
  } catch (error) {
    const isKnown = Error.isError(error) && /(permitted|excluded) subtree/.test(error.message);
    return isKnown ? "chain_name_constraints" : String(error);
  }
}

const none: Names = { uris: [], dnsNames: [], ipAddresses: [] };
const WEB = "spiffe://cluster.local/ns/shop/sa/web";
const LEAVES: readonly Names[] = [
  { ...none, uris: [WEB] },
  { ...none, uris: ["spiffe://east.cluster.local/ns/shop/sa/web"] },
  { ...none, dnsNames: ["weft-operator.weft-system.svc"] },
  { ...none, dnsNames: ["svc", "localhost"] },
  { ...none, uris: [WEB], dnsNames: ["a.svc"], ipAddresses: [[10, 1, 2, 3]] },
  { ...none, ipAddresses: [[11, 0, 0, 1]] },
  { ...none, ipAddresses: [[0xfd, 0, ...Array<number>(13).fill(0), 1]] },
];

test.each([
  ["permitted;URI:cluster.local", [1, 0, 1, 1, 1, 1, 1]],
  ["permitted;URI:Cluster.LOCAL", [1, 0, 1, 1, 1, 1, 1]],
  ["permitted;URI:.cluster.local", [0, 1, 1, 1, 0, 1, 1]],
  ["permitted;URI:.local", [1, 1, 1, 1, 1, 1, 1]],
  ["permitted;URI:uster.local", [0, 0, 1, 1, 0, 1, 1]],
  ["excluded;URI:cluster.local", [0, 1, 1, 1, 0, 1, 1]],
  ["excluded;URI:.cluster.local", [1, 0, 1, 1, 1, 1, 1]],
  ["permitted;DNS:svc", [1, 1, 1, 0, 1, 1, 1]],
  ["permitted;DNS:vc", [1, 1, 0, 0, 0, 1, 1]],
  ["excluded;DNS:svc", [1, 1, 0, 0, 0, 1, 1]],
  ["excluded;DNS:weft-system.svc", [1, 1, 0, 1, 1, 1, 1]],
  ["permitted;IP:10.0.0.0/255.0.0.0", [1, 1, 1, 1, 1, 0, 0]],
  ["excluded;IP:10.0.0.0/255.0.0.0", [1, 1, 1, 1, 0, 1, 1]],
  ["permitted;IP:fd00::/ff00::", [1, 1, 1, 1, 0, 0, 1]],
  ["permitted;email:a@b.org", [1, 1, 1, 1, 1, 1, 1]],
  ["permitted;dirName:other", [1, 1, 1, 1, 1, 1, 1]],
  ["permitted;URI:.local,permitted;DNS:svc,excluded;URI:.cluster.local", [1, 0, 1, 0, 1, 1, 1]],
] as const)("verifyChain(): under %s each name is judged as openssl does", (constraints, meant) => {
  const root = createConstrainedRoot(constraints);
  for (const [index, names] of LEAVES.entries()) {
    const leaf = signLeaf(root, names);
    const verdict = meant[index] === 1 ? "permitted" : "chain_name_constraints";
    expect([names, judge(root, leaf)]).toEqual([names, verdict]);
    expect([names, judgeByOpenssl(leaf)]).toEqual([names, verdict]);
  }
});

test("isPermitted(): names that cannot be compared are refused where a constraint of their kind is", () => {
  const root = createConstrainedRoot("excluded;URI:.example.org,excluded;DNS:example.org");
  const { nameConstraints = { permitted: [], excluded: [] } } = root;
  function permits(names: Partial<Certificate["alternativeNames"]>, constraints = nameConstraints) {
    const alternativeNames = { uris: [], dnsNames: [], ipAddresses: [], others: 0, ...names };
    return isPermitted({ ...root, alternativeNames }, constraints);
  }
  expect(permits({ uris: [WEB] })).toBe(true);
  for (const uri of ["urn:x", "spiffe://10.0.0.1/a", "spiffe://[::1]/a", "spiffe://u@a.b/c", "x"]) {
    expect([uri, permits({ uris: [uri] })]).toEqual([uri, false]);
  }
  expect(permits({ dnsNames: ["*.other.org"] })).toBe(false);
  expect(permits({ others: 1 })).toBe(true);
  expect(permits({ others: 1 }, { permitted: [{ kind: "other" }], excluded: [] })).toBe(false);
  const directory = { kind: "directory", rdns: [EMPTY_NAME] } as const;
  expect(permits({}, { permitted: [directory], excluded: [] })).toBe(false);
  expect(permits({}, { permitted: [], excluded: [{ kind: "directory", rdns: [] }] })).toBe(false);
});

function subtrees(tag: number, ...parts: readonly Der[]): Uint8Array {
  const inner = encodeDer(sequence(...parts));
  const whole = Uint8Array.of(0xa0 | tag, ...inner.subarray(1));
  return Uint8Array.of(0x30, whole.length, ...whole);
}

/** Throws whatever is no DerError. */
function kindOf(bytes: Uint8Array): "parsed" | "malformed" {
  try {
    parseNameConstraints(bytes);
    return "parsed";
  } catch (error) {
    if (!(error instanceof DerError)) throw error;
    return "malformed";
  }
}

test("parseNameConstraints(): what the standard does not know is malformed, and nothing crashes", () => {
  const host = implicit(6, Buffer.from("cluster.local"));
  expect(parseNameConstraints(subtrees(0, sequence(host)))).toEqual({
    permitted: [{ kind: "uri", base: "cluster.local" }],
    excluded: [],
  });
  const wrongs = [
    Uint8Array.of(0x30, 0),
    subtrees(2, sequence(host)),
    subtrees(0, host),
    subtrees(0, sequence(host, implicit(0, Uint8Array.of(1)))),
    subtrees(0, sequence(implicit(6, Buffer.from("a\0b")))),
    subtrees(0, sequence(implicit(6, Buffer.from("")))),
    subtrees(0, sequence(implicit(7, Uint8Array.of(1, 2, 3)))),
    encodeDer(sequence(octetString(Uint8Array.of()), unsigned(Uint8Array.of(0)))),
  ];
  for (const wrong of wrongs) expect(() => parseNameConstraints(wrong)).toThrow(DerError);
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 40 }), fc.nat(30), (bytes, at) => {
      const good = subtrees(0, sequence(host));
      const mixed = Uint8Array.from([...good.subarray(0, at), ...bytes]);
      expect(["parsed", "malformed"]).toContain(kindOf(mixed));
    }),
    { numRuns: 2000 },
  );
});
