import { X509Certificate } from "node:crypto";
import { expect, test } from "@jest/globals";
import fc from "fast-check";
import { createCraftedRoot } from "../../test/fakes/crafted-ca.ts";
import { formatCertificatesPem, parseCertificatesPem } from "./pem.ts";

const ders = [createCraftedRoot("a").der, createCraftedRoot("b").der];
const pem = formatCertificatesPem(ders);

test("parseCertificatesPem(): gives back what formatCertificatesPem() wrote, CRLF and comments or not", () => {
  for (const text of [pem, pem.replaceAll("\n", "\r\n"), `# roots\n\n${pem}\nend`]) {
    const parsed = parseCertificatesPem(text);
    expect(parsed.kind === "parsed" && parsed.certificates.map((der) => Buffer.from(der))).toEqual(
      ders.map((der) => Buffer.from(der)),
    );
  }
});

test("formatCertificatesPem(): Node reads it, lines have 64 characters at most", () => {
  expect(new X509Certificate(pem).raw).toEqual(Buffer.from(ders[0] ?? []));
  expect(Math.max(...pem.split("\n").map((line) => line.length))).toBe(64);
});

test.each([
  ["nothing", ""],
  ["text", "hello"],
  ["a key", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"],
  [
    "a key behind certificates",
    `${pem}-----BEGIN EC PRIVATE KEY-----\nAAAA\n-----END EC PRIVATE KEY-----\n`,
  ],
  ["a block that is cut", pem.slice(0, -30)],
  ["a block in a block", `-----BEGIN CERTIFICATE-----\n${pem}`],
  ["a hole in base64", pem.replace(/\n(....)/, "\n$1!")],
  ["headers", pem.replace("\n", "\nProc-Type: 4,ENCRYPTED\n")],
  ["an empty block", "-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n"],
])("parseCertificatesPem(): refuses %s", (_, text) => {
  expect(parseCertificatesPem(text).kind).toBe("malformed");
});

test("parseCertificatesPem(): a megabyte of anything is answered at once", () => {
  const bombs = ["-----BEGIN CERTIFICATE-----\n", "-----BEGIN ", "-", "=", "A\n"];
  for (const bomb of bombs) {
    const text = bomb.repeat(Math.floor(1_000_000 / bomb.length));
    const started = performance.now();
    expect(parseCertificatesPem(text).kind).toBe("malformed");
    expect(performance.now() - started).toBeLessThan(1000);
  }
  expect(parseCertificatesPem("A".repeat(2_000_000)).kind).toBe("malformed");
});

test("parseCertificatesPem(): never throws", () => {
  fc.assert(
    fc.property(fc.string(), fc.nat(pem.length), (text, at) => {
      expect(() => parseCertificatesPem(pem.slice(0, at) + text + pem.slice(at))).not.toThrow();
    }),
  );
});
