/** The issuer's root has changed: the renewal does not take it, a rotation does, and both ask the issuer only once. */

import { generateKeyPairSync } from "node:crypto";
import { expect, test } from "@jest/globals";
import type { TrustBundle } from "../../core/model/trust-bundle.ts";
import { createLog } from "../../core/process/log.ts";
import { createCaCsr, formatCsrPem } from "../../core/x509/create-csr.ts";
import { EMPTY_NAME } from "../../core/x509/sign-certificate.ts";
import { CertificateSigner } from "../../test/fakes/certificate-signer.ts";
import { createMemoryKeyStore } from "../../test/fakes/memory-key-store.ts";
import { compileTrustBundle } from "../compile/trust-bundle.ts";
import { createAuthority } from "./authority.ts";
import { ExternalIntermediates } from "./external-intermediates.ts";
import type { CaMaterial } from "./key-store.ts";
import { RotationEngine } from "./rotation/rotation-engine.ts";
import { bundleOf } from "./trust.ts";

const DAY_MS = 86_400_000;
const trustDomain = "cluster.local";

/** Signed by `signer`, and in its last third. */
function lateCa(signer: CertificateSigner): CaMaterial {
  const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const csr = createCaCsr(privateKey, { subject: EMPTY_NAME, uri: `spiffe://${trustDomain}` });
  const now = Date.now();
  const part = { notBeforeMs: now - 300 * DAY_MS, notAfterMs: now + 65 * DAY_MS };
  return {
    certificatesPem: signer.sign(formatCsrPem(csr), part),
    keyPem: privateKey.export({ format: "pem", type: "pkcs8" }).toString(),
    rootsPem: signer.rootPem,
  };
}

test("ExternalIntermediates: another root of the issuer is left to a rotation, which adds it before it signs", async () => {
  const [old, next] = [new CertificateSigner("old root"), new CertificateSigner("next root")];
  let requests = 0;
  const source = new ExternalIntermediates({
    signer: {
      name: "Issuer corporate",
      async sign({ csrPem }) {
        requests += 1;
        return { kind: "signed", chainPem: next.sign(csrPem), rootsPem: next.rootPem };
      },
      complain: async () => undefined,
    },
    leafLifetimeSeconds: () => 3600,
    log: createLog({ name: "test", level: "fatal" }),
  });
  const keyStore = createMemoryKeyStore(lateCa(old));
  function intermediates(): ExternalIntermediates {
    return source;
  }
  const now = Date.now();
  const authority = await createAuthority({ keyStore, trustDomain, now, intermediates });
  for (let look = 0; look < 3; look += 1) {
    const looked = authority.look({ now, mayWrite: true });
    await expect(looked).rejects.toMatchObject({ reason: "ca_not_renewed" });
  }
  expect(requests).toBe(1);
  expect(authority.bundle().roots).toEqual([old.root.der]);

  let monotonicMs = 0;
  const engine = new RotationEngine({
    keyStore,
    trustDomain,
    intermediates,
    versionOf: (bundle: TrustBundle) => compileTrustBundle(bundle).version,
    monotonicMs: () => (monotonicMs += 10_000),
  });
  const wish = { object: "o", authority: "intermediate", abort: false, waivedNodes: [] } as const;
  const question = { choose: () => wish, nodes: [], isPublished: () => true, now };
  const trusted: (readonly Uint8Array[])[] = [];
  for (let step = 0; step < 40; step += 1) {
    const progress = await engine.advance(question);
    const material = await keyStore.read();
    if (material) trusted.push(bundleOf(material, { keyStore, trustDomain }).roots);
    if (progress.kind === "ended") break;
  }
  expect(requests).toBe(1);
  expect(trusted.map((roots) => roots.length)).toContain(2);
  expect(trusted.at(-1)).toEqual([next.root.der]);
  await authority.look({ now, mayWrite: true });
  expect(authority.bundle()).toMatchObject({ roots: [next.root.der] });
});
