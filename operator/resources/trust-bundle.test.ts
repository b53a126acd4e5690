import { expect, test } from "@jest/globals";
import fc from "fast-check";
import { formatCertificatesPem } from "../../core/x509/pem.ts";
import { createCraftedRoot, uriName } from "../../test/fakes/crafted-ca.ts";
import { parseTrustBundle } from "./trust-bundle.ts";

const ROOT = createCraftedRoot("partner");
const NEXT = createCraftedRoot("partner's next");

function pem(...certificates: readonly { readonly der: Uint8Array }[]): string {
  return formatCertificatesPem(certificates.map(({ der }) => der));
}

function parse(spec: unknown) {
  const metadata = { name: "partner" };
  return parseTrustBundle({ apiVersion: "weft.dev/v1", kind: "TrustBundle", metadata, spec });
}

test("parseTrustBundle(): reads the trust domain and each root once", () => {
  const roots = `the partner's roots, of May\n${pem(ROOT, NEXT)}${pem(ROOT)}`;
  const parsed = parse({ trustDomain: "partner.example", roots });
  expect(parsed).toMatchObject({
    kind: "accepted",
    warnings: [],
    value: { trustDomain: "partner.example", roots: [{ der: ROOT.der }, { der: NEXT.der }] },
  });
});

const refused: readonly (readonly [string, unknown, string, RegExp])[] = [
  ["no spec", undefined, "spec.trustDomain", /must be given/],
  ["no roots", { trustDomain: "a" }, "spec.roots", /must be given/],
  [
    "a trust domain in capitals",
    { trustDomain: "Partner", roots: pem(ROOT) },
    "spec.trustDomain",
    /lower-case/,
  ],
  [
    "an unknown field",
    { trustDomain: "a", roots: pem(ROOT), issuer: "x" },
    "spec.issuer",
    /unknown/,
  ],
  ["roots that are a list", { trustDomain: "a", roots: [pem(ROOT)] }, "spec.roots", /a string/],
  ["text without a certificate", { trustDomain: "a", roots: "x" }, "spec.roots", /no certificate/],
  [
    "a key beside the root",
    { trustDomain: "a", roots: pem(ROOT) + ROOT.keyPem },
    "spec.roots",
    /not a certificate/,
  ],
  [
    "a cut certificate",
    { trustDomain: "a", roots: pem(ROOT).slice(0, -40) },
    "spec.roots",
    /is cut/,
  ],
  [
    "octets that are no certificate",
    { trustDomain: "a", roots: pem(ROOT, { der: new Uint8Array(40) }) },
    "spec.roots[1]",
    /not a certificate/,
  ],
  [
    "a leaf",
    { trustDomain: "a", roots: pem(ROOT.issue({})) },
    "spec.roots[0]",
    /may not sign certificates/,
  ],
  [
    "a CA without keyCertSign",
    { trustDomain: "a", roots: pem(createCraftedRoot("r", { keyUsage: 0b1000_0000 })) },
    "spec.roots[0]",
    /may not sign certificates/,
  ],
  [
    "an intermediate",
    { trustDomain: "a", roots: pem(ROOT.issue({ isCa: true, keyUsage: 6, commonName: "i" })) },
    "spec.roots[0]",
    /give the root/,
  ],
  [
    "a critical extension that nobody knows",
    { trustDomain: "a", roots: pem(createCraftedRoot("r", { criticalUnknown: true })) },
    "spec.roots[0]",
    /critical extension 1.3.6.1.4.1.99999.2/,
  ],
  [
    "17 roots",
    { trustDomain: "a", roots: pem(...Array.from({ length: 17 }, () => ROOT)) },
    "spec.roots",
    /at most 16/,
  ],
  [
    "more than 256 KiB",
    { trustDomain: "a", roots: pem(ROOT) + " ".repeat(262_144) },
    "spec.roots",
    /256 KiB/,
  ],
  [
    "a certificate of more than 64 KiB",
    { trustDomain: "a", roots: pem({ der: new Uint8Array(65_537) }) },
    "spec.roots[0]",
    /64 KiB/,
  ],
];

for (const [what, spec, field, message] of refused) {
  test(`parseTrustBundle(): refuses ${what}`, () => {
    expect(parse(spec)).toMatchObject({
      kind: "refused",
      reasons: expect.arrayContaining([{ field, message: expect.stringMatching(message) }]),
    });
  });
}

test("parseTrustBundle(): a root that names another trust domain is taken, and that is told", () => {
  const named = createCraftedRoot("n", { names: [uriName("spiffe://before.example")] });
  const own = createCraftedRoot("o", { names: [uriName("spiffe://partner.example")] });
  expect(parse({ trustDomain: "partner.example", roots: pem(named, own) })).toMatchObject({
    kind: "accepted",
    warnings: [{ message: expect.stringContaining("names itself spiffe://before.example,") }],
  });
});

test("parseTrustBundle(): never throws, and takes nothing that is not a certificate", () => {
  const line = fc.constantFrom(
    "-----BEGIN CERTIFICATE-----",
    "-----END CERTIFICATE-----",
    "AAAA",
    "",
  );
  const text = fc.array(fc.oneof(line, fc.string()), { maxLength: 8 });
  const spec = fc.oneof(
    text.map((lines) => ({ trustDomain: "a", roots: lines.join("\n") })),
    fc.anything(),
  );
  fc.assert(
    fc.property(spec, (value) => {
      expect(parse(value).kind).toBe("refused");
    }),
  );
});
