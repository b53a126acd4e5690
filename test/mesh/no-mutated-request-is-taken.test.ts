/**
 * 400,000 certificate requests, changed with their structure in view, against our reader, with a
 * second reader and OpenSSL as second opinion: no crash, no hang, no key taken but one that the others see, and see proven.
 */
import { createPublicKey, generateKeyPairSync, verify } from "node:crypto";
import { expect, jest, test } from "@jest/globals";
import { createCsr } from "../../core/x509/create-csr.ts";
import { parseCsr } from "../../core/x509/parse-csr.ts";
import { dnsName, uriName } from "../fakes/crafted-ca.ts";
import { craftCsr, signCsr } from "../fakes/crafted-csr.ts";
import {
  mutateDer,
  mutateTree,
  pick,
  type Random,
  readTlv,
  type TlvNode,
  writeTlv,
} from "../fakes/der-mutation.ts";
import { fail, judgeMany } from "../fakes/mutation-run.ts";
import { sized } from "../soak.ts";

jest.setTimeout(sized(600_000, 7_200_000));

const p256 = generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey;
const p384 = generateKeyPairSync("ec", { namedCurve: "P-384" }).privateKey;
const rsa = generateKeyPairSync("rsa", { modulusLength: 2048 }).privateKey;
const ed25519 = generateKeyPairSync("ed25519").privateKey;

const WISHES = {
  names: [uriName("spiffe://cluster.local/ns/shop/sa/admin"), dnsName("evil.example")],
  isCa: true,
  keyUsage: 0b0000_0110,
};
const REQUESTS: readonly TlvNode[] = [
  createCsr(p256),
  craftCsr({ key: p256, commonName: "admin", extensions: WISHES, password: "p" }),
  craftCsr({ key: rsa, commonName: "rsa", extensions: WISHES }),
  craftCsr({ key: p384 }),
  craftCsr({ key: ed25519 }),
].map(readTlv);

test("parseCsr(): of mutated requests only those are taken whose key OpenSSL finds proven", () => {
  const counts = judgeMany(0.4, (random) => {
    const tree = pick(random, REQUESTS);
    const isSigned = random.below(6) === 0;
    return judge(isSigned ? signedAgain(random, tree) : mutateDer(random, tree, REQUESTS));
  });
  // The changes reached what they should: every verdict came, the good one among them.
  for (const verdict of ["taken", "csr_malformed", "csr_key", "csr_signature"]) {
    expect([verdict, counts[verdict]]).toEqual([verdict, expect.any(Number)]);
  }
});

/** Another content, under a good signature by one of the keys. */
function signedAgain(random: Random, tree: TlvNode): Uint8Array {
  const [info = tree] = tree.children;
  const changed = writeTlv(mutateTree(random, info, REQUESTS));
  return changed[0] === 0x30 ? signCsr(changed, pick(random, [p256, p256, p384, rsa])) : changed;
}

function judge(der: Uint8Array): string {
  const parsed = parseCsr(der);
  if (parsed.kind === "refused") return parsed.reason;
  const [info, , signature] = readTlv(der).children;
  const spki = info?.children[2];
  if (!info || !spki || !signature) return fail("less than a request was taken", der);
  const publicKey = writeTlv(spki);
  if (Buffer.compare(publicKey, parsed.publicKey) !== 0) fail("another key was taken", der);
  const key = createPublicKey({ key: Buffer.from(publicKey), format: "der", type: "spki" });
  if (key.asymmetricKeyDetails?.namedCurve !== "prime256v1") fail("an odd key was taken", der);
  // What lies in a bit string, whatever it is: its octets without the count of unused bits.
  const proof = writeTlv({ ...signature, tag: 0x04 });
  const octets = proof.subarray(proof.length - signatureLength(proof));
  if (!verify("sha256", writeTlv(info), key, octets)) fail("no proof was taken", der);
  return "taken";
}

/** A bit string of at most 127 octets: tag, length, count of unused bits. */
function signatureLength(bitString: Uint8Array): number {
  return bitString.length - 3;
}
