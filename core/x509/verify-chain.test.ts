import { execFileSync } from "node:child_process";
import { generateKeyPairSync } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "@jest/globals";
import fc from "fast-check";
import { createCraftedRoot, uriName } from "../../test/fakes/crafted-ca.ts";
import { checkSvid } from "./check-svid.ts";
import { parseCertificate } from "./parse-certificate.ts";
import { parseCertificatesPem } from "./pem.ts";
import { verifyChain } from "./verify-chain.ts";

const HOUR_MS = 3_600_000;
const root = createCraftedRoot();
const name = { names: [uriName("spiffe://cluster.local/ns/shop/sa/web")] };
const now = Date.now();
const ca = { isCa: true, keyUsage: 6 };

function reasonOf(chain: readonly Uint8Array[], at = now, roots = [root.der]): string {
  const result = verifyChain({ chain, roots, now: at });
  return result.kind === "verified" ? "verified" : result.reason;
}

test("verifyChain(): leaf and intermediates up to the root, which may follow", () => {
  const leaf = root.issue(name);
  const below = root.issue({ ...ca, pathLength: 0, commonName: "a" }).issue(name);
  expect(reasonOf(leaf.chain)).toBe("verified");
  expect(reasonOf([...leaf.chain, root.der])).toBe("verified");
  expect(reasonOf(below.chain)).toBe("verified");
  expect(verifyChain({ chain: below.chain, roots: [root.der], now })).toMatchObject({
    issuer: { pathLength: 0 },
  });
});

test("verifyChain(): of two roots with one name the key decides", () => {
  const twin = createCraftedRoot();
  expect(reasonOf(root.issue(name).chain, now, [twin.der, root.der])).toBe("verified");
  expect(reasonOf(root.issue(name).chain, now, [twin.der])).toBe("chain_signature");
});

test("verifyChain(): each flaw has its reason", () => {
  const leaf = root.issue(name);
  const a = root.issue({ ...ca, pathLength: 0, commonName: "a" });
  const expired = root.issue({ ...ca, commonName: "old", notAfterMs: now - 5000 });
  expect(reasonOf([])).toBe("chain_empty");
  expect(reasonOf(Array<Uint8Array>(100).fill(leaf.der))).toBe("chain_too_long");
  expect(reasonOf([new Uint8Array(1_000_000)])).toBe("chain_malformed");
  expect(reasonOf(leaf.chain, now + 2 * HOUR_MS)).toBe("chain_expired");
  expect(reasonOf(leaf.chain, now - 2 * HOUR_MS)).toBe("chain_not_yet_valid");
  expect(reasonOf(expired.issue(name).chain)).toBe("chain_expired");
  expect(reasonOf(leaf.issue(name).chain)).toBe("chain_issuer_not_ca");
  expect(reasonOf(root.issue({ isCa: true, keyUsage: 128 }).issue(name).chain)).toBe(
    "chain_issuer_not_ca",
  );
  expect(reasonOf(a.issue({ ...ca, commonName: "b" }).issue(name).chain)).toBe("chain_too_long");
  expect(reasonOf(createCraftedRoot("x").issue(name).chain)).toBe("chain_unknown_root");
  expect(reasonOf(root.issue({ ...name, criticalUnknown: true }).chain)).toBe(
    "chain_critical_extension",
  );
  expect(reasonOf(root.issue({ ...name, hash: "sha1" }).chain)).toBe("chain_signature");
  expect(reasonOf([leaf.der, a.der].reverse())).toBe("verified");
  expect(reasonOf([a.issue(name).der, leaf.der])).toBe("chain_unknown_root");
});

test("verifyChain(): weak keys sign nothing", () => {
  const p224 = createCraftedRoot("p224", {
    keys: generateKeyPairSync("ec", { namedCurve: "secp224r1" }),
  });
  expect(reasonOf(p224.issue(name).chain, now, [p224.der])).toBe("chain_signature");
});

test("parseCertificate(): any change of any octet is malformed or breaks the signature, and never crashes", () => {
  const { der } = root.issue(name);
  fc.assert(
    fc.property(fc.nat(der.length - 1), fc.integer({ min: 1, max: 255 }), (at, flip) => {
      const changed = Uint8Array.from(der);
      changed[at] = (changed[at] ?? 0) ^ flip;
      expect(reasonOf([changed])).not.toBe("verified");
    }),
    { numRuns: 3000 },
  );
});

test("parseCertificate(): cut, repeated and inserted octets never crash and are never accepted", () => {
  const { der } = root.issue(name);
  const piece = fc.record({
    at: fc.nat(der.length),
    cut: fc.nat(40),
    put: fc.uint8Array({ maxLength: 40 }),
  });
  fc.assert(
    fc.property(piece, ({ at, cut, put }) => {
      const changed = Buffer.concat([der.subarray(0, at), put, der.subarray(at + cut)]);
      fc.pre(Buffer.compare(changed, der) !== 0);
      expect(reasonOf([changed])).not.toBe("verified");
    }),
    { numRuns: 2000 },
  );
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
      expect(parseCertificate(bytes).kind).toBe("malformed");
    }),
  );
});

test.each([
  ["rsa:2048", []],
  ["ec", ["-pkeyopt", "ec_paramgen_curve:P-384"]],
])("verifyChain(): takes a leaf that openssl signed with a root of %s", (kind, options) => {
  const directory = mkdtempSync(join(tmpdir(), "weft-x509-"));
  function openssl(...args: readonly string[]): void {
    execFileSync("openssl", args, { cwd: directory, stdio: "pipe" });
  }
  try {
    const key = ["-newkey", kind, ...options, "-nodes", "-keyout", "root.key"];
    openssl("req", "-x509", ...key, "-subj", "/O=Org", "-days", "9", "-out", "root.pem");
    openssl(
      "req",
      "-newkey",
      "rsa:2048",
      "-nodes",
      "-keyout",
      "k",
      "-subj",
      "/CN=x",
      "-out",
      "csr",
    );
    const ca = ["-CA", "root.pem", "-CAkey", "root.key", "-set_serial", "0", "-days", "1"];
    const uri = "spiffe://cluster.local/ns/shop/sa/web";
    writeFileSync(
      join(directory, "ext"),
      `subjectAltName=URI:${uri},DNS:web.shop,IP:::1\nkeyUsage=digitalSignature\nextendedKeyUsage=serverAuth,clientAuth\nbasicConstraints=CA:FALSE\n`,
    );
    openssl("x509", "-req", "-in", "csr", ...ca, "-extfile", "ext", "-out", "leaf.pem");
    const [leaf, issuer] = ["leaf.pem", "root.pem"].map((name) => {
      const pem = parseCertificatesPem(readFileSync(join(directory, name), "utf8"));
      return pem.kind === "parsed" ? pem.certificates : [];
    });
    const result = verifyChain({ chain: leaf ?? [], roots: issuer ?? [], now: Date.now() });
    expect(result).toMatchObject({
      kind: "verified",
      leaf: { alternativeNames: { uris: [uri], dnsNames: ["web.shop"], others: 0 } },
    });
    const svid = result.kind === "verified" && checkSvid(result.leaf);
    expect(svid).toMatchObject({ kind: "svid", uri });
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
});
