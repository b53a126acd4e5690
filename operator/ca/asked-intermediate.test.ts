/** An external source that takes its time: nobody waits for it, and its answer is not lost. */
import { generateKeyPairSync } from "node:crypto";
import { expect, test } from "@jest/globals";
import { certificateFingerprint } from "../../core/x509/fingerprint.ts";
import { createMemoryKeyStore } from "../../test/fakes/memory-key-store.ts";
import { AskedIntermediate } from "./asked-intermediate.ts";
import { type CaLook, createAuthority } from "./authority.ts";
import { createHierarchy, createUnderRoot } from "./intermediate.ts";
import type { IntermediateAnswer, IntermediateSource } from "./intermediate-source.ts";
import type { CaMaterial } from "./key-store.ts";
import { readCertificates } from "./read-material.ts";

const DAY_MS = 86_400_000;
const START = Date.parse("2026-01-01T00:00:00Z");
const LATE = START + 300 * DAY_MS;
const trustDomain = "cluster.local";
const place = "memory";

/** The root's key is theirs, so it is not stored. */
function external(hierarchy: CaMaterial) {
  const waiting: PromiseWithResolvers<IntermediateAnswer>[] = [];
  const source: IntermediateSource = {
    signer: "Issuer corporate",
    isExternal: true,
    create({ signal }) {
      const asked = Promise.withResolvers<IntermediateAnswer>();
      signal.addEventListener("abort", () => asked.reject(signal.reason));
      waiting.push(asked);
      return asked.promise;
    },
  };
  function sign(now: number): IntermediateAnswer {
    const made = createUnderRoot(hierarchy, { trustDomain, place, now });
    if (!made) throw new Error("no root key");
    return { kind: "made", ...made };
  }
  function intermediates(): IntermediateSource {
    return source;
  }
  return { source, waiting, sign, intermediates };
}

function signerOf(material: CaMaterial | undefined): string {
  const [signer] = readCertificates(material?.certificatesPem ?? "", place);
  return certificateFingerprint(signer?.der ?? new Uint8Array());
}

test("AskedIntermediate: asks once, and the answer waits for whoever asks next", async () => {
  const hierarchy = createHierarchy({ trustDomain, place, now: START });
  const { source, waiting, sign } = external(hierarchy);
  const asked = new AskedIntermediate();
  const request = { material: hierarchy, trustDomain, place, now: START };
  expect(await asked.take(source, request)).toEqual({ kind: "asking" });
  expect(await asked.take(source, request)).toEqual({ kind: "asking" });
  expect(waiting).toHaveLength(1);
  const answer = sign(START);
  waiting[0]?.resolve(answer);
  expect(await asked.take(source, request)).toBe(answer);
  expect(await asked.take(source, request)).toEqual({ kind: "asking" });
  waiting[1]?.reject(new Error("away"));
  await expect(asked.take(source, request)).rejects.toThrow("away");
  expect(await asked.take(source, request)).toEqual({ kind: "asking" });
  asked.forget();
  await expect(waiting[2]?.promise).rejects.toThrow(/abort/);
});

test("createAuthority(): the first CA comes from an external source, and has no root key", async () => {
  const hierarchy = createHierarchy({ trustDomain, place, now: START });
  const { waiting, sign, intermediates } = external(hierarchy);
  const keyStore = createMemoryKeyStore();
  const opened = createAuthority({ keyStore, trustDomain, now: START, intermediates });
  while (waiting.length === 0) await new Promise(setImmediate);
  waiting[0]?.resolve(sign(START));
  await opened;
  expect((await keyStore.read())?.rootKeyPem).toBeUndefined();
});

test("look(): an external source is asked in the last third while the CA goes on signing", async () => {
  const hierarchy = createHierarchy({ trustDomain, place, now: START });
  const { waiting, sign, intermediates } = external(hierarchy);
  const keyStore = createMemoryKeyStore({ ...hierarchy, rootKeyPem: undefined });
  const authority = await createAuthority({ keyStore, trustDomain, now: LATE, intermediates });
  const before = signerOf(await keyStore.read());
  expect(await authority.look({ now: LATE, mayWrite: false })).toMatchObject({ change: "none" });
  expect(waiting).toHaveLength(0);
  expect(await authority.look({ now: LATE, mayWrite: true })).toMatchObject({ change: "none" });
  const { publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const spki = publicKey.export({ format: "der", type: "spki" });
  const identity = { trustDomain, namespace: "shop", serviceAccount: "web" };
  authority.issueLeaf({ publicKey: spki, identity, lifetimeSeconds: 60, now: LATE });
  waiting[0]?.resolve(sign(LATE));
  expect(await authority.look({ now: LATE, mayWrite: true })).toMatchObject({ change: "renewed" });
  expect(signerOf(await keyStore.read())).not.toBe(before);
  expect(authority.bundle().issuer).toBe(signerOf(await keyStore.read()));
});

test("look(): what an external source signs under another root, or not at all, is told and not taken", async () => {
  const hierarchy = createHierarchy({ trustDomain, place, now: START });
  const { waiting, intermediates } = external(hierarchy);
  const other = external(createHierarchy({ trustDomain, place, now: START }));
  const keyStore = createMemoryKeyStore({ ...hierarchy, rootKeyPem: undefined });
  const authority = await createAuthority({ keyStore, trustDomain, now: LATE, intermediates });
  function look(): Promise<CaLook> {
    return authority.look({ now: LATE, mayWrite: true });
  }
  await look();
  waiting[0]?.resolve(other.sign(LATE));
  await expect(look()).rejects.toMatchObject({ reason: "ca_not_renewed" });
  await look();
  waiting[1]?.resolve({ kind: "refused", reason: "SignerDenied", message: "policy says no" });
  await expect(look()).rejects.toThrow("policy says no");
  expect(signerOf(await keyStore.read())).toBe(signerOf(hierarchy));
});
