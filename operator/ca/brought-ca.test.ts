/** A CA that people bring, in the shape of a cert-manager Certificate's Secret; made by openssl, as another program would. */
import { execFileSync } from "node:child_process";
import { generateKeyPairSync, X509Certificate } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { verifyChain } from "../../core/x509/verify-chain.ts";
import { createMemoryKeyStore } from "../../test/fakes/memory-key-store.ts";
import { type Authority, createAuthority } from "./authority.ts";
import { createHierarchy } from "./intermediate.ts";
import { isSameMaterial, type KeyStore } from "./key-store.ts";
import { createSecretKeyStore } from "./secret-key-store.ts";

type Data = Readonly<Record<string, Uint8Array>>;

const identity = { trustDomain: "cluster.local", namespace: "shop", serviceAccount: "web" };
const DAY_S = 86_400;
let directory = "";

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "weft-brought-"));
});

afterEach(() => {
  rmSync(directory, { recursive: true, force: true });
});

function openssl(...args: readonly string[]): void {
  execFileSync("openssl", args, { cwd: directory, stdio: "pipe" });
}

function read(name: string): Buffer {
  return readFileSync(join(directory, name));
}

interface Brought {
  readonly root?: string;
  readonly days?: number;
  readonly extra?: string;
}

/** Root and intermediate with SEC1 keys, as openssl and older cert-managers write them. */
function bring({ root = "root", days = 90, extra = "" }: Brought = {}): Data {
  const ext = `basicConstraints=critical,CA:TRUE,pathlen:0\nkeyUsage=critical,keyCertSign,cRLSign\nsubjectKeyIdentifier=hash\n${extra}`;
  writeFileSync(join(directory, "ext"), ext);
  for (const name of [root, "between"]) {
    openssl("ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", `${name}.key`);
  }
  const rootUsage = ["-addext", "keyUsage=critical,keyCertSign"];
  const selfSigned = ["req", "-x509", "-key", `${root}.key`, "-days", "900", ...rootUsage];
  openssl(...selfSigned, "-subj", `/O=Org/CN=${root}`, "-out", "root.pem");
  openssl("req", "-new", "-key", "between.key", "-subj", "/O=Org/CN=mesh", "-out", "csr");
  const ca = ["-CA", "root.pem", "-CAkey", `${root}.key`, "-CAcreateserial", "-days", `${days}`];
  openssl("x509", "-req", "-in", "csr", ...ca, "-extfile", "ext", "-out", "between.pem");
  return {
    "tls.crt": read("between.pem"),
    "tls.key": read("between.key"),
    "ca.crt": read("root.pem"),
  };
}

class SecretStore {
  data: Data;

  constructor(data: Data) {
    this.data = data;
  }

  readonly keyStore: KeyStore = createSecretKeyStore("weft-system/weft-ca", {
    read: async () => this.data,
    create: async () => "exists",
    replace: async () => {
      throw new Error("what somebody brought is never written to");
    },
  });
}

function open(data: Data, longestLeafSeconds = DAY_S): Promise<Authority> {
  const { keyStore } = new SecretStore(data);
  const options = { keyStore, trustDomain: "cluster.local", now: Date.now() };
  return createAuthority({ ...options, longestLeafSeconds: () => longestLeafSeconds });
}

function leafOf(authority: Authority): readonly Uint8Array[] {
  const { publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const spki = publicKey.export({ format: "der", type: "spki" });
  const request = { publicKey: spki, identity, lifetimeSeconds: DAY_S, now: Date.now() };
  return authority.issueLeaf(request).chain;
}

function verify(authority: Authority, chain: readonly Uint8Array[]): string {
  const result = verifyChain({ chain, roots: authority.bundle().roots, now: Date.now() });
  return result.kind === "verified" ? "verified" : result.reason;
}

test("createAuthority(): the Secret of a cert-manager Certificate signs leaves under its own root", async () => {
  const authority = await open(bring());
  const chain = leafOf(authority);
  expect(verify(authority, chain)).toBe("verified");
  expect(chain.slice(1)).toEqual([new Uint8Array(new X509Certificate(read("between.pem")).raw)]);
});

test("look(): a Secret that is exchanged counts from the next look on, root and all", async () => {
  const store = new SecretStore(bring());
  const { keyStore } = store;
  const options = { keyStore, trustDomain: "cluster.local", now: Date.now() };
  const authority = await createAuthority(options);
  const old = leafOf(authority);
  expect((await authority.look({ now: Date.now(), mayWrite: true })).change).toBe("none");
  store.data = bring({ root: "another" });
  expect((await authority.look({ now: Date.now(), mayWrite: true })).change).toBe("taken");
  expect(verify(authority, leafOf(authority))).toBe("verified");
  expect(verify(authority, old)).toBe("chain_unknown_root");
  const second = authority.bundle();
  store.data = { ...store.data, "ca.crt": new Uint8Array() };
  const look = authority.look({ now: Date.now(), mayWrite: true });
  await expect(look).rejects.toMatchObject({ reason: "ca_incomplete" });
  expect(authority.bundle()).toEqual(second);
});

test("createAuthority(): a CA that ends within the longest leaf's life is refused with the way out", async () => {
  const data = bring({ days: 3 });
  await expect(open(data, 2 * DAY_S)).resolves.toBeDefined();
  await expect(open(data, 4 * DAY_S)).rejects.toMatchObject({
    reason: "ca_expires_soon",
    message: expect.stringMatching(/secret weft-system\/weft-ca: the CA ends at .* renew it/),
  });
  // However short leaves are set: the operator's own certificates live for a day.
  await expect(open(bring({ days: 1 }), 60)).rejects.toMatchObject({ reason: "ca_expires_soon" });
});

test("createAuthority(): an own CA near its end is renewed at the start, not refused", async () => {
  const start = Date.parse("2026-01-01T00:00:00Z");
  const place = "memory";
  const material = createHierarchy({ trustDomain: "cluster.local", place, now: start });
  const now = start + 365 * DAY_S * 1000 + 1;
  const keyStore = createMemoryKeyStore(material);
  const authority = await createAuthority({ keyStore, trustDomain: "cluster.local", now });
  expect(authority.expiry().intermediateMs).toBe(
    Math.floor(now / 1000) * 1000 + 365 * DAY_S * 1000,
  );
  expect(isSameMaterial((await keyStore.read()) ?? material, material)).toBe(false);
  const offline = createMemoryKeyStore({ ...material, rootKeyPem: undefined });
  const early = now - 3_600_000;
  await expect(
    createAuthority({ keyStore: offline, trustDomain: "cluster.local", now: early }),
  ).rejects.toMatchObject({ reason: "ca_expires_soon" });
});

test("issueLeaf(): a leaf outside the CA's name constraints is refused, with the reason", async () => {
  const authority = await open(
    bring({ extra: "nameConstraints=critical,permitted;URI:cluster.local" }),
  );
  expect(verify(authority, leafOf(authority))).toBe("verified");
  const { publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const request = {
    publicKey: publicKey.export({ format: "der", type: "spki" }),
    identity: { ...identity, trustDomain: "other.org" },
    lifetimeSeconds: 60,
    now: Date.now(),
  };
  expect(() => authority.issueLeaf(request)).toThrow(
    expect.objectContaining({
      reason: "ca_name_constraints",
      message: expect.stringContaining("spiffe://other.org/ns/shop/sa/web"),
    }),
  );
});

test("createAuthority(): a CA that may not name this trust domain is refused at the start", async () => {
  const data = bring({ extra: "nameConstraints=critical,permitted;URI:other.org" });
  await expect(open(data)).rejects.toMatchObject({ reason: "ca_name_constraints" });
});
