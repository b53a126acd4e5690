/**
 * One certificate by a CA that is loaded: template → sign → validate again. Nothing that does not pass is
 * handed out. Keeps nothing, and decides nothing about who may have which identity.
 */
import { createPublicKey, generateKeyPairSync, randomBytes } from "node:crypto";
import { ipBytes } from "../../core/model/ip.ts";
import { formatSpiffeId, isSpiffeId, type SpiffeId } from "../../core/model/spiffe-id.ts";
import type { Certificate } from "../../core/x509/certificate.ts";
import { checkSvid } from "../../core/x509/check-svid.ts";
import { formatCertificatesPem } from "../../core/x509/pem.ts";
import {
  type CertificateTemplate,
  createSerial,
  EMPTY_NAME,
  keyIdentifier,
} from "../../core/x509/sign-certificate.ts";
import { CaError } from "./ca-error.ts";
import { checkIssued } from "./check-issued.ts";
import type { LoadedCa } from "./load-signer.ts";
import { chooseValidity } from "./validity.ts";

export interface LeafRequest {
  /** SubjectPublicKeyInfo, DER, P-256. */
  readonly publicKey: Uint8Array;
  readonly identity: SpiffeId;
  /** Brought into 60 to 2,592,000, and never beyond the issuer's own end. */
  readonly lifetimeSeconds: number;
  readonly now: number;
}

export interface IssuedChain {
  /** DER, leaf first, without the root. */
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

type Names = CertificateTemplate["names"];

export function issueLeaf(ca: LoadedCa, request: LeafRequest): IssuedChain {
  if (!isSpiffeId(request.identity)) throw invalid("the identity is not a SPIFFE ID");
  const uri = formatSpiffeId(request.identity);
  const names = { uris: [uri], dnsNames: [], ipAddresses: [] };
  const issued = issue(ca, { ...request, names });
  const svid = checkSvid(issued.leaf);
  if (svid.kind === "refused") throw invalid(svid.reason);
  if (svid.uri !== uri) throw invalid("it carries another identity");
  return issued;
}

export function issueServer(ca: LoadedCa, request: ServerRequest): ServerCertificate {
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

function issue(ca: LoadedCa, request: IssueRequest): CheckedIssue {
  const { signer, validity } = ca;
  const { publicKey, lifetimeSeconds, names, now } = request;
  if (now > validity.notAfterMs) {
    const end = new Date(validity.notAfterMs).toISOString();
    throw new CaError("ca_expired", `the CA ended at ${end}`);
  }
  const { certificate } = signer;
  const template: CertificateTemplate = {
    ...chooseValidity(validity, lifetimeSeconds, now),
    serial: createSerial(randomBytes(16)),
    issuer: certificate.subject,
    subject: EMPTY_NAME,
    publicKey,
    subjectKeyId: keyIdentifier(publicKey),
    authorityKeyId: certificate.subjectKeyId ?? keyIdentifier(certificate.publicKey),
    usage: "leaf",
    names,
  };
  const leaf = checkIssued(signer.sign(template), ca, { template, now });
  const chain = [leaf, ...signer.chain].map(({ der }) => der);
  return { chain, notAfterMs: leaf.notAfterMs, leaf };
}

function requireIp(text: string): readonly number[] {
  const bytes = ipBytes(text);
  if (!bytes) throw invalid(`${text} is not an ip address`);
  return bytes;
}

function invalid(message: string): CaError {
  return new CaError("ca_issued_invalid", `the certificate just made is refused: ${message}`);
}
