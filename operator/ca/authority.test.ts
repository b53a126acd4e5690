import { execFileSync } from "node:child_process";
import { generateKeyPairSync, X509Certificate } from "node:crypto";
import { chmodSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { operatorIdentity } from "../../core/model/operator-identity.ts";
import { formatCertificatesPem } from "../../core/x509/pem.ts";
import { createCraftedRoot } from "../../test/fakes/crafted-ca.ts";
import { createMemoryKeyStore } from "../../test/fakes/memory-key-store.ts";
import { until } from "../../test/world/until.ts";
import { type Authority, createAuthority } from "./authority.ts";
import { createFileKeyStore } from "./file-key-store.ts";
import { createHierarchy } from "./intermediate.ts";
import type { KeyStore } from "./key-store.ts";
import { createSecretKeyStore, type SecretAccess } from "./secret-key-store.ts";
import { CA_BACKDATE_MS } from "./validity.ts";

const identity = { trustDomain: "cluster.local", namespace: "shop", serviceAccount: "web" };
const DAY_S = 86_400;
let directory = "";

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "weft-ca-"));
});

afterEach(() => {
  rmSync(directory, { recursive: true, force: true });
});

function spki(): Uint8Array {
  const { publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  return publicKey.export({ format: "der", type: "spki" });
}

function newAuthority(now = Date.now()): Promise<Authority> {
  const keyStore = createMemoryKeyStore();
  return createAuthority({ keyStore, trustDomain: "cluster.local", now });
}

test("createAuthority(): takes a CA that became valid while it was waited for", async () => {
  const trustDomain = "cluster.local";
  // Valid from a whole second on, which is still to come.
  const fromMs = Math.ceil(Date.now() / 1_000) * 1_000 + 1_000;
  const material = createHierarchy({ trustDomain, place: "memory", now: fromMs + CA_BACKDATE_MS });
  const stored = createMemoryKeyStore(material);
  const keyStore: KeyStore = {
    ...stored,
    async read() {
      // Well within it: the two clocks by which is waited and counted differ by less.
      await until("the CA's first second", () => (Date.now() > fromMs + 200 ? true : undefined));
      return stored.read();
    },
  };
  const authority = await createAuthority({ keyStore, trustDomain, now: Date.now() });
  expect(authority.expiry().intermediateMs).toBeGreaterThan(fromMs);
});

function openssl(...args: string[]): string {
  return execFileSync("openssl", args, { cwd: directory, encoding: "utf8", stdio: "pipe" });
}

test("issueLeaf(): openssl reads an X.509-SVID and verifies it for both ends", async () => {
  const now = Date.now();
  const authority = await newAuthority(now);
  const request = { publicKey: spki(), identity, lifetimeSeconds: DAY_S, now };
  const { chain, notAfterMs } = authority.issueLeaf(request);
  expect(chain).toHaveLength(2);
  writeFileSync(join(directory, "leaf.pem"), formatCertificatesPem(chain.slice(0, 1)));
  writeFileSync(join(directory, "between.pem"), formatCertificatesPem(chain.slice(1)));
  writeFileSync(join(directory, "root.pem"), formatCertificatesPem(authority.bundle().roots));
  for (const purpose of ["sslclient", "sslserver"]) {
    const strict = ["verify", "-x509_strict", "-purpose", purpose, "-untrusted", "between.pem"];
    expect(openssl(...strict, "-CAfile", "root.pem", "leaf.pem")).toBe("leaf.pem: OK\n");
  }
  const text = openssl("x509", "-in", "leaf.pem", "-noout", "-text");
  expect(text).toMatch(
    /Subject Alternative Name: critical\s+URI:spiffe:\/\/cluster\.local\/ns\/shop\/sa\/web\n/,
  );
  expect(text).toMatch(/Basic Constraints: critical\s+CA:FALSE/);
  expect(text).toMatch(/Key Usage: critical\s+Digital Signature\n/);
  expect(text).toMatch(/TLS Web Server Authentication, TLS Web Client Authentication/);
  expect(text).toContain("Signature Algorithm: ecdsa-with-SHA256");
  expect(Math.abs(notAfterMs - (now + DAY_S * 1000))).toBeLessThan(1000);
  for (const [name, pathLength] of [
    ["root.pem", 1],
    ["between.pem", 0],
  ] as const) {
    const ca = openssl("x509", "-in", name, "-noout", "-text");
    expect(ca).toMatch(
      new RegExp(`Basic Constraints: critical\\s+CA:TRUE, pathlen:${pathLength}\n`),
    );
    expect(ca).toMatch(/Key Usage: critical\s+Certificate Sign, CRL Sign/);
    expect(ca).toContain("URI:spiffe://cluster.local\n");
    expect(ca).not.toContain("Extended Key Usage");
  }
});

test("issueLeaf(): backdates by five minutes, and no leaf outlives its issuer", async () => {
  const now = Date.parse("2026-01-01T00:00:00Z");
  const authority = await newAuthority(now);
  const late = now + 365 * DAY_S * 1000 - 3_600_000;
  const { chain, notAfterMs } = authority.issueLeaf({
    publicKey: spki(),
    identity,
    lifetimeSeconds: DAY_S,
    now: late,
  });
  expect(notAfterMs).toBe(late + 3_600_000);
  const leaf = new X509Certificate(chain[0] ?? "");
  expect(leaf.validFromDate.getTime()).toBe(late - 300_000);
});

test.each([
  [-5, 60],
  [0, 60],
  [1e12, 30 * DAY_S],
])("issueLeaf(): a lifetime of %d s is brought to %d s", async (asked, given) => {
  const now = Date.parse("2026-01-01T00:00:00Z");
  const authority = await newAuthority(now);
  const request = { publicKey: spki(), identity, lifetimeSeconds: asked, now };
  expect(authority.issueLeaf(request).notAfterMs).toBe(now + given * 1000);
});

test("issueLeaf(): serial numbers are positive, of 16 octets, and all differ", async () => {
  const authority = await newAuthority();
  const request = { publicKey: spki(), identity, lifetimeSeconds: 60, now: Date.now() };
  const serials = Array.from({ length: 200 }, () => {
    const { chain } = authority.issueLeaf(request);
    return new X509Certificate(chain[0] ?? "").serialNumber;
  });
  expect(new Set(serials).size).toBe(200);
  for (const serial of serials) expect(serial).toMatch(/^[4-7][0-9A-F]{31}$/);
});

test("issueLeaf(): refuses an identity that another reader would take for two", async () => {
  const authority = await newAuthority();
  const request = { publicKey: spki(), lifetimeSeconds: 60, now: Date.now() };
  const injected = { ...identity, namespace: "a/sa/b" };
  expect(() => authority.issueLeaf({ ...request, identity: injected })).toThrow(/SPIFFE/);
});

test("issueServer(): one certificate for gRPC with SPIFFE ID, one for webhooks by DNS name only", async () => {
  const now = Date.now();
  const authority = await newAuthority(now);
  const dnsNames = ["weft-operator.weft-system.svc"];
  const grpc = authority.issueServer({
    identity: operatorIdentity("cluster.local"),
    dnsNames,
    ipAddresses: ["127.0.0.1", "::1"],
    lifetimeSeconds: DAY_S,
    now,
  });
  const leaf = new X509Certificate(grpc.chainPem);
  expect(leaf.subjectAltName).toBe(
    "URI:spiffe://cluster.local/ns/weft-system/sa/weft-operator, DNS:weft-operator.weft-system.svc, IP Address:127.0.0.1, IP Address:0:0:0:0:0:0:0:1",
  );
  expect(grpc.keyPem).toMatch(/^-----BEGIN PRIVATE KEY-----/);
  const webhook = authority.issueServer({ dnsNames, ipAddresses: [], lifetimeSeconds: DAY_S, now });
  expect(new X509Certificate(webhook.chainPem).subjectAltName).toBe(
    "DNS:weft-operator.weft-system.svc",
  );
});

test("createAuthority(): the key never shows in JSON", async () => {
  const authority = await newAuthority();
  expect(JSON.stringify({ authority })).not.toMatch(/PRIVATE|"d":/);
});

test("createAuthority(): of many replicas that start at once all have one root (file)", async () => {
  const authorities = await Promise.all(
    Array.from({ length: 8 }, () =>
      createAuthority({
        keyStore: createFileKeyStore(join(directory, "state")),
        trustDomain: "cluster.local",
        now: Date.now(),
      }),
    ),
  );
  const roots = authorities.map((authority) => formatCertificatesPem(authority.bundle().roots));
  expect(new Set(roots).size).toBe(1);
  expect(readdirSync(join(directory, "state"))).toEqual(["ca"]);
  expect(statSync(join(directory, "state/ca")).mode & 0o777).toBe(0o700);
  for (const entry of ["tls.crt", "tls.key", "ca.crt", "root.key"]) {
    expect(statSync(join(directory, "state/ca", entry)).mode & 0o777).toBe(0o600);
  }
});

test("createAuthority(): of many replicas that start at once all have one root (Secret)", async () => {
  let stored: Readonly<Record<string, Uint8Array>> | undefined;
  const secret: SecretAccess = {
    async read() {
      return stored;
    },
    async create(data) {
      if (stored) return "exists";
      stored = data;
      return "created";
    },
    async replace(data, isExpected) {
      if (!stored || !isExpected(stored)) return "changed";
      stored = data;
      return "replaced";
    },
  };
  const authorities = await Promise.all(
    Array.from({ length: 8 }, () =>
      createAuthority({
        keyStore: createSecretKeyStore("weft-system/weft-ca", secret),
        trustDomain: "cluster.local",
        now: Date.now(),
      }),
    ),
  );
  const roots = authorities.map((authority) => formatCertificatesPem(authority.bundle().roots));
  expect(new Set(roots).size).toBe(1);
  expect(Object.keys(stored ?? {}).sort()).toEqual(["ca.crt", "root.key", "tls.crt", "tls.key"]);
});

test("createAuthority(): an intermediate signs, and its chain goes with the leaf", async () => {
  const notAfterMs = Date.now() + 2 * DAY_S * 1000;
  const root = createCraftedRoot("above", { notAfterMs });
  const below = { isCa: true, pathLength: 0, keyUsage: 6, commonName: "below", notAfterMs };
  const intermediate = root.issue(below);
  const keyStore = createMemoryKeyStore({
    certificatesPem: intermediate.chainPem,
    keyPem: intermediate.keyPem,
    rootsPem: formatCertificatesPem([root.der]),
  });
  const now = Date.now();
  const authority = await createAuthority({ keyStore, trustDomain: "cluster.local", now });
  const { chain } = authority.issueLeaf({ publicKey: spki(), identity, lifetimeSeconds: 60, now });
  expect(chain).toHaveLength(2);
  writeFileSync(join(directory, "chain.pem"), formatCertificatesPem(chain));
  writeFileSync(join(directory, "root.pem"), formatCertificatesPem([root.der]));
  const verify = ["verify", "-CAfile", "root.pem", "-untrusted", "chain.pem", "chain.pem"];
  expect(openssl(...verify)).toBe("chain.pem: OK\n");
});

test("createAuthority(): what cannot sign says what is wrong and the way out", async () => {
  const root = createCraftedRoot();
  const other = createCraftedRoot("other root");
  const expired = createCraftedRoot("old", { notAfterMs: Date.now() - 1000 });
  const leaf = root.issue({});
  function pem(der: Uint8Array): string {
    return formatCertificatesPem([der]);
  }
  const cases = [
    { certificate: root.der, key: other, roots: root.der, message: /does not belong to tls\.crt/ },
    { certificate: expired.der, key: expired, roots: expired.der, message: /ended at .*new root/ },
    { certificate: leaf.der, key: leaf, roots: root.der, message: /CA:TRUE and keyCertSign/ },
    { certificate: root.der, key: root, roots: other.der, message: /does not lead to a root/ },
  ];
  for (const { certificate, key, roots, message } of cases) {
    const keyStore = createMemoryKeyStore({
      certificatesPem: pem(certificate),
      keyPem: key.keyPem,
      rootsPem: pem(roots),
    });
    const opened = createAuthority({ keyStore, trustDomain: "cluster.local", now: Date.now() });
    await expect(opened).rejects.toThrow(message);
  }
});

test("createFileKeyStore(): refuses a key that others can read, and half a CA", async () => {
  const keyStore = createFileKeyStore(directory);
  function open(): Promise<Authority> {
    return createAuthority({ keyStore, trustDomain: "cluster.local", now: Date.now() });
  }
  await open();
  chmodSync(join(directory, "ca/tls.key"), 0o640);
  await expect(open()).rejects.toThrow(/chmod 600/);
  chmodSync(join(directory, "ca/tls.key"), 0o600);
  rmSync(join(directory, "ca/ca.crt"));
  await expect(open()).rejects.toThrow(/ca\.crt is missing/);
});
