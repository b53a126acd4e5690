import { createPrivateKey, generateKeyPairSync, randomBytes } from "node:crypto";
import { expect, test } from "@jest/globals";
import fc from "fast-check";
import {
  type CertificateTemplate,
  createSerial,
  EMPTY_NAME,
  keyIdentifier,
  signCertificate,
} from "../../core/x509/sign-certificate.ts";
import { createCraftedRoot, dnsName, otherName, uriName } from "../../test/fakes/crafted-ca.ts";
import { checkIssued } from "./check-issued.ts";
import { createHierarchy } from "./intermediate.ts";
import { loadSigner } from "./load-signer.ts";
import { chooseValidity } from "./validity.ts";

const WEB = "spiffe://cluster.local/ns/shop/sa/web";
const now = Date.parse("2026-01-01T00:00:00Z");
const place = "memory";
const material = createHierarchy({ trustDomain: "cluster.local", place, now });
const ca = loadSigner(material, { place, now, longestLeafSeconds: 0 });
const key = createPrivateKey(material.keyPem);

function spki(): Uint8Array {
  const { publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  return publicKey.export({ format: "der", type: "spki" });
}

const publicKey = spki();
const { certificate } = ca.signer;
const template: CertificateTemplate = {
  ...chooseValidity(ca.validity, 3600, now),
  serial: createSerial(randomBytes(16)),
  issuer: certificate.subject,
  subject: EMPTY_NAME,
  publicKey,
  subjectKeyId: keyIdentifier(publicKey),
  authorityKeyId: keyIdentifier(certificate.publicKey),
  usage: "leaf",
  names: { uris: [WEB], dnsNames: ["a.shop"], ipAddresses: [[10, 0, 0, 1]] },
};

function check(der: Uint8Array, at = now): string {
  try {
    checkIssued(der, ca, { template, now: at });
    return "valid";
  } catch (error) {
    return Error.isError(error) ? error.message.replace(/^.*refused: /, "") : "";
  }
}

function signed(changes: Partial<CertificateTemplate>): string {
  return check(signCertificate({ ...template, ...changes }, key));
}

test("checkIssued(): takes what was meant, and nothing that differs in one thing", () => {
  const { names } = template;
  expect(signed({})).toBe("valid");
  const wrongs: readonly [Partial<CertificateTemplate>, string][] = [
    [{ usage: "ca", pathLength: 0 }, "leaf_is_ca"],
    [{ issuer: EMPTY_NAME }, "chain_unknown_root"],
    [{ notBeforeMs: now + 5000 }, "chain_not_yet_valid"],
    [{ notAfterMs: now - 5000 }, "chain_expired"],
    [{ notAfterMs: ca.validity.notAfterMs + 1000 }, "it outlives its issuer"],
    [{ notBeforeMs: ca.validity.notBeforeMs - 1000 }, "it outlives its issuer"],
    [{ notAfterMs: template.notAfterMs + 1000 }, "it has other times"],
    [{ publicKey: spki() }, "it carries another key"],
    [{ serial: createSerial(randomBytes(16)) }, "it has another serial number"],
    [{ subject: certificate.subject }, "it has another subject"],
    [{ subjectKeyId: randomBytes(20) }, "it has another key identifier"],
    [{ names: { ...names, uris: [] } }, "it carries another identity"],
    [{ names: { ...names, uris: [WEB, WEB] } }, "it carries another identity"],
    [{ names: { ...names, uris: [`${WEB}x`] } }, "it carries another identity"],
    [{ names: { ...names, dnsNames: ["b.shop"] } }, "it carries another identity"],
    [{ names: { ...names, ipAddresses: [[10, 0, 0, 2]] } }, "it carries another identity"],
    [{ names: { ...names, ipAddresses: [] } }, "it carries another identity"],
  ];
  for (const [changes, reason] of wrongs) expect(signed(changes)).toBe(reason);
});

test("checkIssued(): what another key signed, or for another use, is refused", () => {
  const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  expect(check(signCertificate(template, privateKey))).toBe("chain_signature");
  expect(check(new Uint8Array(9))).toBe("bytes follow the value");
  const root = createCraftedRoot();
  const crafted = { signer: ca.signer, roots: [], root: certificate, validity: ca.validity };
  const leaf = root.issue({ names: [uriName(WEB), dnsName("a.shop"), otherName("x")] });
  expect(() => checkIssued(leaf.der, crafted, { template, now: Date.now() })).toThrow(
    expect.objectContaining({ reason: "ca_issued_invalid" }),
  );
});

test("checkIssued(): no octet of a certificate can be changed unseen", () => {
  const der = signCertificate(template, key);
  fc.assert(
    fc.property(fc.nat(der.length - 1), fc.integer({ min: 1, max: 255 }), (at, flip) => {
      const changed = Uint8Array.from(der);
      changed[at] = (changed[at] ?? 0) ^ flip;
      expect(check(changed)).not.toBe("valid");
    }),
    { numRuns: 1000 },
  );
});

test("chooseValidity(): begins before now, ends after it, never outside of the issuer, at most 30 days", () => {
  const day = 86_400_000;
  const time = fc.integer({ min: -400 * day, max: 400 * day });
  fc.assert(
    fc.property(time, fc.nat(400 * day), fc.double({ noNaN: true }), (start, length, seconds) => {
      const issuer = { notBeforeMs: now + start, notAfterMs: now + start + length };
      fc.pre(issuer.notBeforeMs <= now && now <= issuer.notAfterMs);
      const { notBeforeMs, notAfterMs } = chooseValidity(issuer, seconds, now);
      expect(notBeforeMs).toBeGreaterThanOrEqual(issuer.notBeforeMs);
      expect(notBeforeMs).toBeGreaterThanOrEqual(now - 300_000);
      expect(notBeforeMs).toBeLessThanOrEqual(now);
      expect(notAfterMs).toBeGreaterThanOrEqual(now);
      expect(notAfterMs).toBeLessThanOrEqual(Math.min(issuer.notAfterMs, now + 30 * day));
    }),
  );
});
