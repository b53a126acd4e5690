import { generateKeyPairSync } from "node:crypto";
import { expect, test } from "@jest/globals";
import { parseKeySet } from "./key-set.ts";

function rsa(bits: number, publicExponent = 65_537) {
  const { publicKey } = generateKeyPairSync("rsa", { modulusLength: bits, publicExponent });
  return publicKey.export({ format: "jwk" });
}

function ec(namedCurve: string) {
  return generateKeyPairSync("ec", { namedCurve }).publicKey.export({ format: "jwk" });
}

const good = { ...ec("P-256"), kid: "good" };
const rsa2048 = rsa(2048);

function idsOf(...keys: readonly unknown[]): readonly (string | undefined)[] {
  const parsed = parseKeySet(JSON.stringify({ keys }));
  return parsed.kind === "keys" ? parsed.keys.map(({ keyId }) => keyId) : [];
}

test("parseKeySet(): takes RSA, EC and Ed25519 keys, each with its algorithms", () => {
  const ed = generateKeyPairSync("ed25519").publicKey.export({ format: "jwk" });
  const keys = [rsa2048, { ...rsa2048, alg: "PS256" }, ec("P-384"), ec("P-521"), ed];
  const parsed = parseKeySet(JSON.stringify({ keys }));
  expect(parsed.kind === "keys" && parsed.keys.map(({ algorithms }) => algorithms)).toEqual([
    ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512"],
    ["PS256"],
    ["ES384"],
    ["ES512"],
    ["EdDSA", "Ed25519"],
  ]);
});

test.each([
  ["RSA of 512 bits", { ...rsa(512), kid: "bad" }],
  ["RSA of 2047 bits", { ...rsa(2047), kid: "bad" }],
  ["RSA with exponent 1", { ...rsa2048, e: "AQ", kid: "bad" }],
  ["a symmetric key", { kty: "oct", k: "c2VjcmV0", kid: "bad" }],
  ["a symmetric key called RSA", { kty: "RSA", k: "c2VjcmV0", kid: "bad" }],
  ["secp256k1", { ...ec("secp256k1"), kid: "bad" }],
  ["a key for encryption", { ...rsa2048, use: "enc", kid: "bad" }],
  ["a key that must not verify", { ...rsa2048, key_ops: ["sign"], kid: "bad" }],
  ["alg of another family", { ...rsa2048, alg: "ES256", kid: "bad" }],
  ["alg of an HMAC", { ...rsa2048, alg: "HS256", kid: "bad" }],
  ["alg none", { ...rsa2048, alg: "none", kid: "bad" }],
  ["alg list", { ...rsa2048, alg: ["RS256"], kid: "bad" }],
  ["kid number", { ...rsa2048, kid: 7 }],
  ["curve __proto__", { ...ec("P-256"), crv: "__proto__", kid: "bad" }],
  ["a point not on the curve", { ...ec("P-256"), x: "AAAA", kid: "bad" }],
  ["no key", "key"],
  ["null", null],
])("parseKeySet(): leaves out %s, and keeps the others", (_, bad) => {
  expect(idsOf(bad, good)).toEqual(["good"]);
});

test("parseKeySet(): of a private key only what is public is used", () => {
  const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const parsed = parseKeySet(JSON.stringify({ keys: [privateKey.export({ format: "jwk" })] }));
  expect(parsed).toMatchObject({ kind: "keys", keys: [{ key: { type: "public" } }] });
});

test.each([
  ["", "not_json"],
  ["{", "not_json"],
  ["null", "no_keys"],
  ["[]", "no_keys"],
  ['{"keys":{}}', "no_keys"],
  ['{"keys":[]}', "no_keys"],
  ['{"keys":[{"kty":"oct","k":"YQ"}]}', "no_keys"],
])("parseKeySet(): %p is refused", (text, reason) => {
  expect(parseKeySet(text)).toEqual({ kind: "refused", reason });
});
