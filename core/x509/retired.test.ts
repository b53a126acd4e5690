import { X509Certificate } from "node:crypto";
import { expect, test } from "@jest/globals";
import { createCraftedRoot } from "../../test/fakes/crafted-ca.ts";
import { parsed, withTwinSignature } from "../../test/fakes/twin-signature.ts";
import type { TrustBundle } from "../model/trust-bundle.ts";
import { certificateFingerprint } from "./fingerprint.ts";
import { fingerprintForms } from "./fingerprint-forms.ts";
import { issuerFingerprint } from "./issuer-fingerprint.ts";
import { hasRetired, trustedRoots } from "./retired.ts";

const ca = { isCa: true, keyUsage: 6 };
const root = createCraftedRoot("root");
const middle = root.issue({ ...ca, commonName: "middle" });
const other = root.issue({ ...ca, commonName: "middle" });
const leaf = middle.issue({});

function bundle(part: Partial<TrustBundle>): TrustBundle {
  return { trustDomain: "cluster.local", roots: [root.der], issuer: "", retired: [], ...part };
}

function retiring(...ders: readonly Uint8Array[]): TrustBundle {
  return bundle({ retired: ders.map(certificateFingerprint) });
}

test("hasRetired(): finds the retired among the authorities of a chain, whichever bundle retires it", () => {
  const friend = bundle({ trustDomain: "friend.example" });
  expect(hasRetired([middle.der], [bundle({})])).toBe(false);
  expect(hasRetired([middle.der], [retiring(other.der)])).toBe(false);
  expect(hasRetired([middle.der], [friend, retiring(other.der, middle.der)])).toBe(true);
  expect(hasRetired([other.der, middle.der], [retiring(middle.der)])).toBe(true);
});

test("hasRetired(): a signature written in its other form, which verifies as well, hides nothing", () => {
  for (let i = 0; i < 50; i += 1) {
    const retired = root.issue({ ...ca, commonName: `middle ${i}` });
    const twin = withTwinSignature(retired.der);
    expect(new X509Certificate(twin).verify(new X509Certificate(root.der).publicKey)).toBe(true);
    expect(certificateFingerprint(twin)).not.toBe(certificateFingerprint(retired.der));
    expect(hasRetired([twin], [retiring(retired.der)])).toBe(true);
    expect(hasRetired([retired.der], [retiring(twin)])).toBe(true);
  }
});

test("hasRetired(): what cannot be read counts as retired, once anything is", () => {
  const junk = middle.der.subarray(0, 100);
  expect(hasRetired([junk], [bundle({})])).toBe(false);
  expect(hasRetired([junk], [retiring(other.der)])).toBe(true);
});

test("fingerprintForms(): the certificate's own comes first, and the twin of the twin is itself", () => {
  const own = certificateFingerprint(middle.der);
  const twin = withTwinSignature(middle.der);
  expect(fingerprintForms(parsed(middle.der))[0]).toBe(own);
  expect(fingerprintForms(parsed(twin))).toContain(own);
});

test("trustedRoots(): those of the bundles, once each, without the retired of all", () => {
  const second = createCraftedRoot("second");
  const friend = { ...retiring(root.der), trustDomain: "friend.example", roots: [second.der] };
  const own = bundle({ roots: [root.der, second.der] });
  expect(trustedRoots([own, { ...own, trustDomain: "alias" }])).toEqual([root.der, second.der]);
  expect(trustedRoots([own], [own, friend])).toEqual([second.der]);
});

test("issuerFingerprint(): of authorities with one name the one whose key signed", () => {
  const wanted = certificateFingerprint(middle.der);
  expect(issuerFingerprint([leaf.der, other.der, middle.der], [root.der])).toBe(wanted);
  expect(issuerFingerprint(leaf.chain, [root.der])).toBe(wanted);
  expect(issuerFingerprint([middle.der], [root.der])).toBe(certificateFingerprint(root.der));
  expect(issuerFingerprint([leaf.der], [root.der])).toBe("");
  expect(issuerFingerprint([], [])).toBe("");
});
