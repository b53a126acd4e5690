/**
 * The mesh's certificate authority: what goes into a leaf, who signs it, and whether the result is right.
 * Template → sign → validate again; nothing that does not pass is handed out.
 *
 * Decides nothing about who may have which identity: that is `issue-for-workload.ts`.
 */
import { createPublicKey, generateKeyPairSync, randomBytes } from "node:crypto";
import { ipBytes } from "../../core/model/ip.ts";
import { formatSpiffeId, isSpiffeId, type SpiffeId } from "../../core/model/spiffe-id.ts";
import type { TrustBundle } from "../../core/model/trust-bundle.ts";
import type { Certificate } from "../../core/x509/certificate.ts";
import { checkSvid } from "../../core/x509/check-svid.ts";
import { parseCertificate } from "../../core/x509/parse-certificate.ts";
import { formatCertificatesPem } from "../../core/x509/pem.ts";
import {
  type CertificateTemplate,
  createSerial,
  EMPTY_NAME,
  keyIdentifier,
} from "../../core/x509/sign-certificate.ts";
import { verifyParsedChain } from "../../core/x509/verify-chain.ts";
import { CaError } from "./ca-error.ts";
import type { CaMaterial, KeyStore } from "./key-store.ts";
import { type LoadedCa, loadSigner } from "./load-signer.ts";
import { createRoot } from "./root.ts";
import { chooseValidity } from "./validity.ts";

export interface Authority {
  /** DER, leaf first, without the root. */
  issueLeaf(request: LeafRequest): IssuedChain;
  /** With a key of its own: for the operator's gRPC and webhook servers. */
  issueServer(request: ServerRequest): ServerCertificate;
  bundle(): TrustBundle;
  /**
   * Puts the CA back where somebody has removed it: a replica that starts would make another root, and
   * the mesh would fall in two. `replaced`: another one is there, which counts from the next start on.
   */
  keep(): Promise<"there" | "restored" | "replaced">;
  /** When the certificate that signs ends. From then on issuing throws `CaError` ca_expired. */
  readonly notAfterMs: number;
}

export interface LeafRequest {
  /** SubjectPublicKeyInfo, DER, P-256. */
  readonly publicKey: Uint8Array;
  readonly identity: SpiffeId;
  /** Brought into 60 to 2,592,000, and never beyond the issuer's own end. */
  readonly lifetimeSeconds: number;
  readonly now: number;
}

export interface IssuedChain {
  readonly chain: readonly Uint8Array[];
  readonly notAfterMs: number;
}

export interface ServerRequest {
  /** The operator's own, for gRPC; absent for webhooks, whose caller checks the DNS name. */
  readonly identity?: SpiffeId;
  readonly dnsNames: readonly string[];
  /** Canonical texts. */
  readonly ipAddresses: readonly string[];
  readonly lifetimeSeconds: number;
  readonly now: number;
}

export interface ServerCertificate extends IssuedChain {
  readonly chainPem: string;
  readonly keyPem: string;
}

export interface AuthorityOptions {
  readonly keyStore: KeyStore;
  readonly trustDomain: string;
  readonly now: number;
}

/** Loads the CA, or makes a root where there is none. Throws `CaError` with the way out. */
export async function createAuthority(options: AuthorityOptions): Promise<Authority> {
  const { keyStore, trustDomain, now } = options;
  const material = await readOrCreate(options);
  const ca = loadSigner(material, { place: keyStore.place, now });
  const roots = ca.roots.map((root) => root.der);
  return {
    issueLeaf: (request) => issueLeaf(ca, request),
    issueServer: (request) => issueServer(ca, request),
    bundle: () => ({ trustDomain, roots }),
    keep: () => keep(keyStore, material),
    notAfterMs: ca.signer.certificate.notAfterMs,
  };
}

async function keep(
  keyStore: KeyStore,
  material: CaMaterial,
): Promise<"there" | "restored" | "replaced"> {
  const stored = await keyStore.read();
  if (!stored) return (await keyStore.create(material)) === "created" ? "restored" : "replaced";
  const isSame =
    stored.certificatesPem === material.certificatesPem &&
    stored.keyPem === material.keyPem &&
    stored.rootsPem === material.rootsPem;
  return isSame ? "there" : "replaced";
}

async function readOrCreate({ keyStore, trustDomain, now }: AuthorityOptions): Promise<CaMaterial> {
  const stored = await keyStore.read();
  if (stored) return stored;
  const root = createRoot(trustDomain, now);
  if ((await keyStore.create(root)) === "created") return root;
  // Another replica was first: its root is the mesh's, ours is forgotten.
  const first = await keyStore.read();
  if (first) return first;
  throw new CaError("ca_incomplete", `${keyStore.place} was deleted while the operator started`);
}

type Names = CertificateTemplate["names"];

function issueLeaf(ca: LoadedCa, request: LeafRequest): IssuedChain {
  if (!isSpiffeId(request.identity)) throw invalid("the identity is not a SPIFFE ID");
  const uri = formatSpiffeId(request.identity);
  const names = { uris: [uri], dnsNames: [], ipAddresses: [] };
  const issued = issue(ca, { ...request, names });
  const svid = checkSvid(issued.leaf);
  if (svid.kind === "refused") throw invalid(svid.reason);
  if (svid.uri !== uri) throw invalid("it carries another identity");
  return issued;
}

function issueServer(ca: LoadedCa, request: ServerRequest): ServerCertificate {
  const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const publicKey = createPublicKey(privateKey).export({ format: "der", type: "spki" });
  const { chain, notAfterMs } = issue(ca, {
    publicKey,
    lifetimeSeconds: request.lifetimeSeconds,
    now: request.now,
    names: {
      uris: request.identity ? [formatSpiffeId(request.identity)] : [],
      dnsNames: request.dnsNames,
      ipAddresses: request.ipAddresses.map(requireIp),
    },
  });
  const keyPem = privateKey.export({ format: "pem", type: "pkcs8" }).toString();
  return { chain, notAfterMs, chainPem: formatCertificatesPem(chain), keyPem };
}

interface CheckedIssue extends IssuedChain {
  readonly leaf: Certificate;
}

interface IssueRequest extends Omit<LeafRequest, "identity"> {
  readonly names: Names;
}

function issue({ signer, roots }: LoadedCa, request: IssueRequest): CheckedIssue {
  const { notAfterMs } = signer.certificate;
  if (request.now > notAfterMs) {
    throw new CaError("ca_expired", `the CA ended at ${new Date(notAfterMs).toISOString()}`);
  }
  const validity = chooseValidity(signer.certificate, request.lifetimeSeconds, request.now);
  const der = signer.sign({
    ...validity,
    serial: createSerial(randomBytes(16)),
    issuer: signer.certificate.subject,
    subject: EMPTY_NAME,
    publicKey: request.publicKey,
    subjectKeyId: keyIdentifier(request.publicKey),
    authorityKeyId: signer.certificate.subjectKeyId ?? keyIdentifier(signer.certificate.publicKey),
    usage: "leaf",
    names: request.names,
  });
  const parsed = parseCertificate(der);
  if (parsed.kind === "malformed") throw invalid(parsed.message);
  const leaf = parsed.certificate;
  const chain = [leaf, ...signer.chain];
  const result = verifyParsedChain({ chain, roots, now: request.now });
  if (result.kind === "refused") throw invalid(result.reason);
  if (Buffer.compare(leaf.publicKey, request.publicKey) !== 0) {
    throw invalid("it carries another key");
  }
  return { chain: chain.map((certificate) => certificate.der), notAfterMs: leaf.notAfterMs, leaf };
}

function requireIp(text: string): readonly number[] {
  const bytes = ipBytes(text);
  if (!bytes) throw invalid(`${text} is not an ip address`);
  return bytes;
}

function invalid(message: string): CaError {
  return new CaError("ca_issued_invalid", `the certificate just made is refused: ${message}`);
}
