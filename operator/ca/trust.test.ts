/** What a rotation leaves in the key store: carried by both stores, and trusted no more. */
import { mkdtempSync, readdirSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { certificateFingerprint } from "../../core/x509/fingerprint.ts";
import { createMemoryKeyStore } from "../../test/fakes/memory-key-store.ts";
import { createAuthority } from "./authority.ts";
import { createFileKeyStore } from "./file-key-store.ts";
import { createHierarchy } from "./intermediate.ts";
import { type CaMaterial, isSameMaterial } from "./key-store.ts";
import { readCertificates } from "./read-material.ts";
import { appendEnded, formatRotation, readEnded, readRotation } from "./rotation-record.ts";
import { createSecretKeyStore, type SecretAccess } from "./secret-key-store.ts";
import { bundleOf } from "./trust.ts";

const NOW = Date.parse("2026-01-01T00:00:00Z");
const DAY_MS = 86_400_000;
const trustDomain = "cluster.local";
let directory = "";

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "weft-trust-"));
});

afterEach(() => {
  rmSync(directory, { recursive: true, force: true });
});

function made(): CaMaterial {
  return createHierarchy({ trustDomain, place: "memory", now: NOW });
}

function rotating(): CaMaterial {
  const other = made();
  return {
    ...made(),
    standbyCertificatesPem: other.certificatesPem + other.rootsPem,
    standbyKeyPem: other.keyPem,
    standbyRootKeyPem: other.rootKeyPem,
    retiredPem: made().rootsPem,
    rotation: "{}",
    rotated: "[]",
  };
}

function memorySecret(): SecretAccess {
  let stored: Readonly<Record<string, Uint8Array>> | undefined;
  return {
    read: async () => stored,
    async create(data) {
      stored = data;
      return "created";
    },
    async replace(data, isExpected) {
      if (!stored || !isExpected(stored)) return "changed";
      stored = data;
      return "replaced";
    },
  };
}

test("KeyStore: both stores carry every entry of a rotation, and forget those that are gone", async () => {
  const stores = [createFileKeyStore(directory), createSecretKeyStore("ns/ca", memorySecret())];
  for (const keyStore of stores) {
    const first = made();
    const middle = rotating();
    await keyStore.create(first);
    expect(await keyStore.replace({ ...first, rotated: "[]" }, middle)).toBe("changed");
    expect(await keyStore.replace(first, middle)).toBe("replaced");
    const read = await keyStore.read();
    expect(read && isSameMaterial(read, middle)).toBe(true);
    // Whoever knows but half of it must not overwrite the rest.
    expect(await keyStore.replace({ ...middle, rotation: undefined }, first)).toBe("changed");
    expect(await keyStore.replace(middle, first)).toBe("replaced");
    expect(await keyStore.read()).toEqual(first);
  }
});

test("createFileKeyStore(): every key of a rotation is for the operator alone", async () => {
  await createFileKeyStore(directory).create(rotating());
  const names = readdirSync(join(directory, "ca"));
  expect(names).toHaveLength(10);
  for (const name of names) expect(statSync(join(directory, "ca", name)).mode & 0o777).toBe(0o600);
});

test("bundleOf(): a retired root is not trusted, wherever it stands again", () => {
  const now = made();
  const before = made();
  const material = {
    ...now,
    rootsPem: now.rootsPem + before.rootsPem,
    retiredPem: before.rootsPem,
  };
  const bundle = bundleOf(material, { keyStore: { place: "memory" }, trustDomain });
  const [root] = readCertificates(now.rootsPem, "");
  const [retired] = readCertificates(before.rootsPem, "");
  expect(bundle.roots).toEqual([root?.der]);
  expect(bundle.retired).toEqual([certificateFingerprint(retired?.der ?? new Uint8Array())]);
});

test.each(["rootsPem", "certificatesPem"] as const)(
  "createAuthority(): a signer whose %s are retired is refused, and says why",
  async (field) => {
    const material = made();
    const keyStore = createMemoryKeyStore({ ...material, retiredPem: material[field] });
    const opened = createAuthority({ keyStore, trustDomain, now: NOW });
    await expect(opened).rejects.toMatchObject({ reason: "ca_retired" });
  },
);

test("look(): nothing is renewed while a rotation is under way", async () => {
  const material = made();
  const late = NOW + 300 * DAY_MS;
  const keyStore = createMemoryKeyStore({ ...material, rotation: "{}" });
  const authority = await createAuthority({ keyStore, trustDomain, now: late });
  expect(await authority.look({ now: late, mayWrite: true })).toMatchObject({ change: "none" });
  await keyStore.replace({ ...material, rotation: "{}" }, material);
  expect(await authority.look({ now: late, mayWrite: true })).toMatchObject({ change: "renewed" });
});

test("look(): a CA that ends soon goes on signing while the next one is added to what is trusted", async () => {
  const material = made();
  const keyStore = createMemoryKeyStore({ ...material, rootKeyPem: undefined });
  const authority = await createAuthority({ keyStore, trustDomain, now: NOW });
  const late = NOW + 365 * DAY_MS - DAY_MS / 2;
  const next = {
    ...material,
    rootKeyPem: undefined,
    rootsPem: material.rootsPem + made().rootsPem,
  };
  await keyStore.replace({ ...material, rootKeyPem: undefined }, { ...next, rotation: "{}" });
  expect(await authority.look({ now: late, mayWrite: false })).toMatchObject({ change: "rotated" });
  expect(authority.bundle().roots).toHaveLength(2);
});

test("readRotation(), readEnded(): what cannot be read is told apart from what is not there", () => {
  expect(readRotation(undefined)).toEqual({ kind: "none" });
  expect(readRotation("")).toEqual({ kind: "unreadable" });
  expect(readRotation('{"authority":"root"}')).toEqual({ kind: "unreadable" });
  const begun = { authority: "root", from: "a", to: "b", object: "one", startedMs: 1 } as const;
  const record = { ...begun, phase: "add", aborting: false, settled: true } as const;
  expect(readRotation(formatRotation(record))).toEqual({ kind: "rotating", ...record });
  const { settled: _, ...older } = record;
  expect(readRotation(JSON.stringify(older))).toMatchObject({ kind: "rotating", settled: false });
  const ended = {
    authority: "root",
    from: "a",
    to: "b",
    object: "one",
    startedMs: 1,
    outcome: "complete",
    endedMs: 2,
  } as const;
  expect(readEnded(appendEnded("garbage", ended))).toEqual([ended]);
  let text: string | undefined;
  for (let n = 0; n < 70; n += 1) text = appendEnded(text, { ...ended, object: `${n}` });
  expect(readEnded(text)).toHaveLength(64);
  expect(readEnded(text).at(-1)?.object).toBe("69");
});
