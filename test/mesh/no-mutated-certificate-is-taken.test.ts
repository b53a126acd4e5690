/**
 * 600,000 certificates, changed with their structure in view, against our reader and our chain, with OpenSSL as
 * second opinion: no crash, no hang, nothing seen in one that OpenSSL does not see, no chain without its signatures.
 */
import {
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
  sign,
  X509Certificate,
} from "node:crypto";
import { beforeAll, expect, jest, test } from "@jest/globals";
import { formatSpiffeId } from "../../core/model/spiffe-id.ts";
import type { Certificate } from "../../core/x509/certificate.ts";
import { checkSvid } from "../../core/x509/check-svid.ts";
import { bitString, encodeDer, encodedSequence, sequence } from "../../core/x509/der-writer.ts";
import { formatSerial } from "../../core/x509/format-serial.ts";
import { parseCertificate } from "../../core/x509/parse-certificate.ts";
import { verifyParsedChain } from "../../core/x509/verify-chain.ts";
import { publicKeyOf } from "../../core/x509/verify-signature.ts";
import { createAuthority } from "../../operator/ca/authority.ts";
import { createCraftedRoot, dnsName, otherName, uriName } from "../fakes/crafted-ca.ts";
import {
  mutateDer,
  mutateTree,
  pick,
  type Random,
  readTlv,
  type TlvNode,
  writeTlv,
} from "../fakes/der-mutation.ts";
import { createMemoryKeyStore } from "../fakes/memory-key-store.ts";
import { fail, judgeMany } from "../fakes/mutation-run.ts";
import { signatureAlgorithmOf } from "../fakes/signature-algorithm.ts";
import { sized } from "../soak.ts";

jest.setTimeout(sized(600_000, 7_200_000));

interface Case {
  readonly tree: TlvNode;
  /** Of who signed it, so that what was changed can be signed again. */
  readonly issuerKey: KeyObject;
  /** What a chain needs between it and the root. */
  readonly above: readonly Certificate[];
}

const IDENTITY = { trustDomain: "cluster.local", namespace: "shop", serviceAccount: "web" };
const URI = formatSpiffeId(IDENTITY);
const now = Date.now();
let cases: readonly Case[];
let donors: readonly TlvNode[];
let roots: readonly Certificate[];

beforeAll(async () => {
  const crafted = craftedCases();
  const issued = await issuedCases();
  cases = [...crafted.cases, ...issued.cases];
  donors = cases.map(({ tree }) => tree);
  roots = [...crafted.roots, ...issued.roots];
});

interface Cases {
  readonly cases: readonly Case[];
  readonly roots: readonly Certificate[];
}

/** All that the operator's CA makes. */
async function issuedCases(): Promise<Cases> {
  const keyStore = createMemoryKeyStore();
  const authority = await createAuthority({ keyStore, trustDomain: "cluster.local", now });
  const material = await keyStore.read();
  if (material?.rootKeyPem === undefined) throw new Error("the CA has no root key");
  const publicKey = createPublicKey(newKey("P-256")).export({ format: "der", type: "spki" });
  const life = { lifetimeSeconds: 3600, now };
  const leaf = authority.issueLeaf({ publicKey, identity: IDENTITY, ...life }).chain;
  const dnsNames = ["weft-operator.weft-system.svc"];
  const ipAddresses = ["10.0.0.1", "fd00::1"];
  const server = authority.issueServer({
    identity: IDENTITY,
    dnsNames,
    ipAddresses,
    ...life,
  }).chain;
  const [signer, root] = [createPrivateKey(material.keyPem), createPrivateKey(material.rootKeyPem)];
  const [intermediate] = leaf.slice(1);
  const [rootDer] = authority.bundle().roots;
  if (!leaf[0] || !server[0] || !intermediate || !rootDer) throw new Error("a chain is short");
  return {
    roots: [read(rootDer)],
    cases: [
      caseOf(leaf[0], signer, [intermediate]),
      caseOf(server[0], signer, [intermediate]),
      caseOf(intermediate, root, []),
      caseOf(rootDer, root, []),
    ],
  };
}

/** What other CAs make: RSA, P-384, odd names and extensions. */
function craftedCases(): Cases {
  const root = createCraftedRoot("crafted");
  const middle = root.issue({ commonName: "middle", isCa: true, pathLength: 0, keyUsage: 0b110 });
  const rsa = generateKeyPairSync("rsa", { modulusLength: 2048 });
  const rsaRoot = createCraftedRoot("rsa root", { keys: rsa });
  const names = [uriName(URI)];
  const odd = [...names, dnsName("*.example"), otherName("odd")];
  const p384 = generateKeyPairSync("ec", { namedCurve: "P-384" });
  return {
    roots: [read(root.der), read(rsaRoot.der)],
    cases: [
      caseOf(middle.issue({ names }).der, middle.key, [middle.der]),
      caseOf(root.issue({ names: odd, criticalUnknown: true }).der, root.key, []),
      caseOf(root.issue({ names, keys: rsa, extendedKeyUsage: undefined }).der, root.key, []),
      caseOf(rsaRoot.issue({ names, keys: p384, keyUsage: undefined }).der, rsaRoot.key, []),
    ],
  };
}

function caseOf(der: Uint8Array, issuerKey: KeyObject, above: readonly Uint8Array[]): Case {
  return { tree: readTlv(der), issuerKey, above: above.map(read) };
}

function read(der: Uint8Array): Certificate {
  const parsed = parseCertificate(der);
  if (parsed.kind === "malformed") throw new Error(parsed.message);
  return parsed.certificate;
}

function newKey(namedCurve: string): KeyObject {
  return generateKeyPairSync("ec", { namedCurve }).privateKey;
}

test("parseCertificate(), verifyChain(): of mutated certificates only what OpenSSL sees too is taken", () => {
  const counts = judgeMany(0.6, (random) => {
    const one = pick(random, cases);
    const isSigned = random.below(6) === 0;
    return judge(isSigned ? signedAgain(random, one) : mutateDer(random, one.tree, donors), one);
  });
  // The changes reached what they should: every verdict came, the good ones among them.
  const verdicts = ["malformed", "chain_signature", "chain_expired", "verified", "svid"];
  for (const verdict of verdicts) {
    expect([verdict, counts[verdict]]).toEqual([verdict, expect.any(Number)]);
  }
});

/** Another content, under a good signature by its CA. */
function signedAgain(random: Random, { tree, issuerKey }: Case): Uint8Array {
  const [tbs = tree] = tree.children;
  const changed = writeTlv(mutateTree(random, tbs, donors));
  if (changed[0] !== 0x30) return changed;
  const signature = bitString(sign("sha256", changed, issuerKey));
  const algorithm = signatureAlgorithmOf(issuerKey, "sha256");
  return encodeDer(sequence(encodedSequence(changed), algorithm, signature));
}

function judge(der: Uint8Array, { above }: Case): string {
  const parsed = parseCertificate(der);
  if (parsed.kind === "malformed") return "malformed";
  const { certificate } = parsed;
  const other = readByOpenssl(der);
  if (other) compare(certificate, other);
  const chain = verifyParsedChain({ chain: [certificate, ...above], roots, now });
  if (chain.kind === "refused") return chain.reason;
  if (!other) return fail("a chain of what OpenSSL does not read was taken", der);
  const issuer = new X509Certificate(chain.issuer.der);
  if (!other.verify(issuer.publicKey)) fail("a chain without its signature was taken", der);
  const svid = checkSvid(certificate);
  if (svid.kind === "refused") return "verified";
  if (other.subjectAltName?.includes(`URI:${svid.uri}`) !== true || other.ca) {
    fail("an identity was taken that OpenSSL does not see", der);
  }
  return "svid";
}

function readByOpenssl(der: Uint8Array): X509Certificate | undefined {
  try {
    return new X509Certificate(der);
  } catch {
    return undefined;
  }
}

function compare(ours: Certificate, theirs: X509Certificate): void {
  const differences = [
    ours.notBeforeMs !== theirs.validFromDate.getTime() && "notBefore",
    ours.notAfterMs !== theirs.validToDate.getTime() && "notAfter",
    withoutZeros(formatSerial(ours.serial)) !== withoutZeros(theirs.serialNumber) && "serial",
    // OpenSSL calls less a CA than we do: nothing that may not sign, and nothing with a bad extension of any kind.
    theirs.ca && !ours.isCa && "ca",
    !isSameKey(ours, theirs) && "key",
    !hasSameNames(ours, theirs) && "names",
  ].filter((difference) => difference !== false);
  if (differences.length > 0) fail(`OpenSSL sees another ${differences.join()}`, ours.der);
}

function withoutZeros(hex: string): string {
  return hex.toLowerCase().replace(/^0+/, "");
}

function isSameKey(ours: Certificate, theirs: X509Certificate): boolean {
  const key = publicKeyOf(ours);
  const other = publicKeyByOpenssl(theirs);
  return other === undefined ? key === undefined : key?.equals(other) === true;
}

function publicKeyByOpenssl(certificate: X509Certificate): KeyObject | undefined {
  try {
    return certificate.publicKey;
  } catch {
    return undefined;
  }
}

/** Where every name is plain: Node quotes all others, and prints those of kinds that we only count. */
function hasSameNames({ alternativeNames }: Certificate, theirs: X509Certificate): boolean {
  const { uris, dnsNames, ipAddresses, others } = alternativeNames;
  const text = theirs.subjectAltName ?? "";
  if (others > 0 || text.includes('"')) return true;
  const names = text === "" ? [] : text.split(", ");
  return (
    names.length === uris.length + dnsNames.length + ipAddresses.length &&
    uris.every((uri) => names.includes(`URI:${uri}`)) &&
    dnsNames.every((name) => names.includes(`DNS:${name}`))
  );
}
