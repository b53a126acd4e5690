import { execFileSync } from "node:child_process";
import { generateKeyPairSync, X509Certificate } from "node:crypto";
import { existsSync, mkdtempSync, readdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "@jest/globals";
import fc from "fast-check";
import { formatCertificatesPem } from "../../core/x509/pem.ts";
import { verifyChain } from "../../core/x509/verify-chain.ts";
import { createCraftedRoot } from "../../test/fakes/crafted-ca.ts";
import { createMemoryKeyStore } from "../../test/fakes/memory-key-store.ts";
import { type Authority, type AuthorityOptions, createAuthority } from "./authority.ts";
import { createFileKeyStore } from "./file-key-store.ts";
import { createHierarchy } from "./intermediate.ts";
import type { CaMaterial, KeyStore } from "./key-store.ts";
import { createRoot } from "./root.ts";

const identity = { trustDomain: "cluster.local", namespace: "shop", serviceAccount: "web" };
const DAY_MS = 86_400_000;
const YEAR_MS = 365 * DAY_MS;
const START = Date.parse("2026-01-01T00:00:00Z");
let directory = "";

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "weft-ca-"));
});

afterEach(() => {
  rmSync(directory, { recursive: true, force: true });
});

function open(keyStore: KeyStore, now = START): Promise<Authority> {
  const options: AuthorityOptions = { keyStore, trustDomain: "cluster.local", now };
  return createAuthority(options);
}

function leafOf(authority: Authority, now: number): readonly Uint8Array[] {
  const { publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const spki = publicKey.export({ format: "der", type: "spki" });
  return authority.issueLeaf({ publicKey: spki, identity, lifetimeSeconds: 3600, now }).chain;
}

function verify(authority: Authority, chain: readonly Uint8Array[], now: number): string {
  const result = verifyChain({ chain, roots: authority.bundle().roots, now });
  return result.kind === "verified" ? "verified" : result.reason;
}

function made(now = START): CaMaterial {
  return createHierarchy({ trustDomain: "cluster.local", place: "memory", now });
}

test("createHierarchy(): a root of ten years and an intermediate of one, each with its own key", () => {
  const material = made();
  const root = new X509Certificate(material.rootsPem);
  const signer = new X509Certificate(material.certificatesPem);
  expect(root.validToDate.getTime()).toBe(START + 10 * YEAR_MS);
  expect(signer.validToDate.getTime()).toBe(START + YEAR_MS);
  expect(signer.validFromDate.getTime()).toBe(START - DAY_MS);
  expect(signer.verify(root.publicKey)).toBe(true);
  expect(material.keyPem).not.toBe(material.rootKeyPem);
});

test("createHierarchy(): nobody may sign below the intermediate, for openssl neither", async () => {
  const material = made(Date.now());
  for (const [name, text] of [
    ["root.pem", material.rootsPem],
    ["between.pem", material.certificatesPem],
    ["between.key", material.keyPem],
    ["ca.ext", "basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign\n"],
  ] as const) {
    writeFileSync(join(directory, name), text);
  }
  function run(...args: string[]): void {
    execFileSync("openssl", args, { cwd: directory, stdio: "pipe" });
  }
  const key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"];
  for (const [name, issuer, ext] of [
    ["below", "between", ["-extfile", "ca.ext"]],
    ["leaf", "below", []],
  ] as const) {
    run("req", ...key, "-keyout", `${name}.key`, "-subj", `/CN=${name}`, "-out", "csr");
    const ca = ["-CA", `${issuer}.pem`, "-CAkey", `${issuer}.key`, "-CAcreateserial"];
    run("x509", "-req", "-in", "csr", ...ca, "-days", "1", ...ext, "-out", `${name}.pem`);
  }
  const untrusted = ["-untrusted", "between.pem", "-untrusted", "below.pem"];
  expect(() => run("verify", "-CAfile", "root.pem", ...untrusted, "leaf.pem")).toThrow(
    /path length constraint exceeded/,
  );
});

test("createAuthority(): runs on the intermediate alone, with the root's key offline", async () => {
  const authority = await open(createMemoryKeyStore({ ...made(), rootKeyPem: undefined }));
  expect(verify(authority, leafOf(authority, START), START)).toBe("verified");
  const late = START + YEAR_MS - 80 * DAY_MS;
  expect(await authority.look({ now: late, mayWrite: true })).toEqual({
    change: "none",
    isEnding: true,
  });
});

test("createAuthority(): a CA of an earlier version, whose root signs, gets an intermediate; root and leaves hold on", async () => {
  const root = createRoot("cluster.local", START);
  const before = formatCertificatesPem([new X509Certificate(root.rootsPem).raw]);
  const keyStore = createMemoryKeyStore(root);
  const replicas = await Promise.all([open(keyStore), open(keyStore), open(keyStore)]);
  const chains = replicas.map((authority) => leafOf(authority, START));
  expect(new Set(chains.map(([, signer]) => Buffer.from(signer ?? []).toString("hex"))).size).toBe(
    1,
  );
  for (const [index, authority] of replicas.entries()) {
    expect(formatCertificatesPem(authority.bundle().roots)).toBe(before);
    expect(chains[index]).toHaveLength(2);
    expect(verify(authority, chains[index] ?? [], START)).toBe("verified");
  }
  expect((await keyStore.read())?.rootKeyPem).toBe(root.keyPem);
});

test("createAuthority(): a root that somebody brought signs by itself and is left as it is", async () => {
  const crafted = createCraftedRoot("Our own root", { notAfterMs: Date.now() + YEAR_MS });
  const rootsPem = formatCertificatesPem([crafted.der]);
  const material = { certificatesPem: rootsPem, keyPem: crafted.keyPem, rootsPem };
  const keyStore = createMemoryKeyStore(material);
  const authority = await open(keyStore, Date.now());
  await authority.look({ now: Date.now(), mayWrite: true });
  expect(await keyStore.read()).toEqual(material);
  expect(leafOf(authority, Date.now())).toHaveLength(1);
});

test("createAuthority(): a root's key that belongs to no root is refused", async () => {
  const keyStore = createMemoryKeyStore({ ...made(), rootKeyPem: made().rootKeyPem });
  await expect(open(keyStore)).rejects.toMatchObject({
    reason: "ca_key_mismatch",
    message: expect.stringMatching(/root\.key belongs to no root/),
  });
});

test("look(): the intermediate is renewed in its last third by the one who may write, and taken by the others", async () => {
  const keyStore = createMemoryKeyStore();
  const leader = await open(keyStore);
  const other = await open(keyStore);
  const old = leafOf(leader, START + 200 * DAY_MS);
  const first = leader.expiry();
  let now = START + 240 * DAY_MS;
  expect((await leader.look({ now, mayWrite: true })).change).toBe("none");
  now = START + 250 * DAY_MS;
  expect((await other.look({ now, mayWrite: false })).change).toBe("none");
  expect(await leader.look({ now, mayWrite: true })).toEqual({
    change: "renewed",
    isEnding: false,
  });
  expect(leader.expiry()).toEqual({ rootMs: first.rootMs, intermediateMs: now + YEAR_MS });
  expect((await other.look({ now, mayWrite: false })).change).toBe("taken");
  expect((await leader.look({ now, mayWrite: true })).change).toBe("none");
  expect(leafOf(other, now)[1]).toEqual(leafOf(leader, now)[1]);
  expect(verify(other, leafOf(leader, now), now)).toBe("verified");
  expect(verify(other, old, START + 200 * DAY_MS + 1)).toBe("verified");
});

test("look(): whatever the clock does in ten years, leaves hold, and nothing outlives what signed it", async () => {
  const step = fc.integer({ min: -600_000, max: 100 * DAY_MS });
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 50 }), async (steps) => {
      const keyStore = createMemoryKeyStore();
      const authority = await open(keyStore);
      let now = START;
      for (const ms of steps) {
        now += ms;
        if (now < START || now > authority.expiry().rootMs) return;
        await authority.look({ now, mayWrite: true });
        const chain = leafOf(authority, now);
        expect(verify(authority, chain, now)).toBe("verified");
        const ends = chain.map((der) => new X509Certificate(der).validToDate.getTime());
        expect(ends.toSorted((one, two) => one - two)).toEqual(ends);
        expect(authority.expiry().rootMs).toBeGreaterThanOrEqual(ends.at(-1) ?? Infinity);
      }
    }),
    { numRuns: 30 },
  );
});

test("look(): a CA that somebody removed is put back by the leader only", async () => {
  let material: CaMaterial | undefined;
  const stored = createMemoryKeyStore(made());
  const keyStore: KeyStore = {
    ...stored,
    read: async () => material,
    create: async (created) => {
      material ??= created;
      return material === created ? "created" : "exists";
    },
  };
  const authority = await open(keyStore);
  const before = material;
  material = undefined;
  expect((await authority.look({ now: START, mayWrite: false })).change).toBe("missing");
  expect((await authority.look({ now: START, mayWrite: true })).change).toBe("restored");
  expect(material).toEqual(before);
  material = undefined;
  const stranger = await open(keyStore);
  expect((await authority.look({ now: START, mayWrite: true })).change).toBe("taken");
  expect(authority.bundle()).toEqual(stranger.bundle());
});

test("look(): what cannot sign is not taken, and the CA from before signs on", async () => {
  let material = made();
  const keyStore: KeyStore = { ...createMemoryKeyStore(), read: async () => material };
  const authority = await open(keyStore);
  const roots = authority.bundle();
  material = { ...material, keyPem: made().keyPem };
  await expect(authority.look({ now: START, mayWrite: true })).rejects.toThrow(/does not belong/);
  expect(authority.bundle()).toEqual(roots);
  expect(verify(authority, leafOf(authority, START), START)).toBe("verified");
});

test("createFileKeyStore(): replaces all of it or nothing, and finds it after a crash in between", async () => {
  const keyStore = createFileKeyStore(directory);
  const [one, two] = [made(), made()];
  await keyStore.create(one);
  expect(await keyStore.replace(two, one)).toBe("changed");
  expect(await keyStore.read()).toEqual(one);
  const offline = { ...two, rootKeyPem: undefined };
  expect(await keyStore.replace(one, offline)).toBe("replaced");
  expect(await keyStore.read()).toEqual(offline);
  expect(readdirSync(directory)).toEqual(["ca"]);
  renameSync(join(directory, "ca"), join(directory, ".ca-before"));
  expect(await keyStore.read()).toEqual(offline);
  expect(existsSync(join(directory, ".ca-before"))).toBe(false);
});

test("createFileKeyStore(): of many that replace at once the store holds one whole CA", async () => {
  const keyStore = createFileKeyStore(directory);
  const first = made();
  await keyStore.create(first);
  const nexts = Array.from({ length: 6 }, () => made());
  const outcomes = await Promise.all(nexts.map((next) => keyStore.replace(first, next)));
  const winners = nexts.filter((_, index) => outcomes[index] === "replaced");
  expect(winners).toEqual([await keyStore.read()]);
  expect(readdirSync(directory)).toEqual(["ca"]);
});
