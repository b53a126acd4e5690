import { execFileSync } from "node:child_process";
import { generateKeyPairSync } from "node:crypto";
import { expect, test } from "@jest/globals";
import { createCaCsr, formatCsrPem } from "./create-csr.ts";
import { parseCsr } from "./parse-csr.ts";
import { distinguishedName } from "./sign-certificate.ts";

test("createCaCsr(): openssl reads what it asks for, and finds its signature right", () => {
  const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const subject = distinguishedName("Weft", "Weft intermediate 0123");
  const der = createCaCsr(privateKey, { subject, uri: "spiffe://cluster.local" });
  const args = ["req", "-verify", "-noout", "-text"];
  const text = execFileSync("openssl", args, {
    input: formatCsrPem(der),
    stdio: "pipe",
  }).toString();
  expect(text).toMatch(/Subject: O ?= ?Weft, CN ?= ?Weft intermediate 0123/);
  expect(text).toMatch(/Basic Constraints: critical\s+CA:TRUE, pathlen:0/);
  expect(text).toMatch(/Key Usage: critical\s+Digital Signature, Certificate Sign, CRL Sign/);
  expect(text).toMatch(/Alternative Name: *\s+URI:spiffe:\/\/cluster\.local/);
  expect(parseCsr(der).kind).toBe("parsed");
});
