/**
 * The TLS settings of tunnels, both ends: one secure context for each leaf and set of roots, built once
 * and used for every connection until the leaf or the roots change.
 *
 * Runs in the traffic process. Open connections keep the context they began with. Who the peer is
 * gets decided after the handshake in `verify-peer.ts`, never by host names.
 */
import { constants } from "node:crypto";
import { createSecureContext, type SecureContext, type SecureContextOptions } from "node:tls";
import { parseSpiffeId } from "../../core/model/spiffe-id.ts";
import type { TrustBundle } from "../../core/model/trust-bundle.ts";
import { formatSerial } from "../../core/x509/format-serial.ts";
import { issuerFingerprint } from "../../core/x509/issuer-fingerprint.ts";
import { parseCertificate } from "../../core/x509/parse-certificate.ts";
import { formatCertificatesPem, parseCertificatesPem } from "../../core/x509/pem.ts";
import { trustedRoots } from "../../core/x509/retired.ts";
import type { ServedLeaf } from "../channel/messages.ts";

/** A leaf of this node as the far side of a tunnel sees it. */
export interface OwnLeaf {
  readonly trustDomain: string;
  /** DER, leaf first. */
  readonly chain: readonly Uint8Array[];
  /** Hex SHA-256 of the certificate that signed it; "" where that is not to be found. */
  readonly issuer: string;
}

/** For `http2.createSecureServer`, `tls.createServer` and their `setSecureContext` after a change. */
export interface ServerTlsOptions extends SecureContextOptions {
  readonly requestCert: true;
  readonly rejectUnauthorized: true;
  readonly ALPNProtocols: string[];
}

/** For `tls.connect` beside `socket`. */
export interface ClientTlsOptions {
  readonly secureContext: SecureContext;
  /** Node does not read it. */
  readonly own: OwnLeaf;
  /** When the leaf ends; Node does not read it. */
  readonly notAfterMs: number;
  readonly rejectUnauthorized: true;
  readonly ALPNProtocols: string[];
  readonly checkServerIdentity: () => undefined;
}

export interface TlsContexts {
  /** Replaces all bundles; contexts are built anew at their next use. */
  setBundles(bundles: readonly TrustBundle[]): void;
  /** Those of new handshakes, for `verifyPeer`. */
  bundles(): readonly TrustBundle[];
  setLeaf(leaf: ServedLeaf): void;
  dropLeaf(identity: string): void;
  /** Grows with every change of that identity's leaf or of the roots: a server sets its context again when it differs. */
  version(identity: string): number;
  /** For `verifyPeer`, and of the own end. */
  readonly isRevoked: (serial: string) => boolean;
  /** `undefined` without a leaf that still counts or without roots: nothing may be opened or accepted as this identity. */
  server(identity: string): ServerTlsOptions | undefined;
  client(identity: string): ClientTlsOptions | undefined;
  /** The leaf of these contexts; `undefined` where they are. */
  own(identity: string): OwnLeaf | undefined;
  /** Of all leaves served. */
  issuers(): ReadonlySet<string>;
}

/** `isRevoked`: whether a leaf was taken back, by its serial in hex; asked at every use. */
export function createTlsContexts(
  isRevoked: (serial: string) => boolean = noneRevoked,
): TlsContexts {
  return new LeafContexts(isRevoked);
}

function noneRevoked(): boolean {
  return false;
}

interface Entry {
  readonly leaf: ServedLeaf;
  /** Hex; "" where the chain is not to be read, which no handshake survives. */
  readonly serial: string;
  readonly version: number;
  server?: ServerTlsOptions;
  client?: ClientTlsOptions;
  own?: OwnLeaf;
}

class LeafContexts implements TlsContexts {
  readonly #entries = new Map<string, Entry>();
  #bundles: readonly TrustBundle[] = [];
  #ca = "";
  #version = 0;
  readonly isRevoked: (serial: string) => boolean;

  constructor(isRevoked: (serial: string) => boolean) {
    this.isRevoked = isRevoked;
  }

  setBundles(bundles: readonly TrustBundle[]): void {
    this.#bundles = bundles;
    this.#ca = formatCertificatesPem(trustedRoots(bundles));
    for (const { leaf } of this.#entries.values()) this.setLeaf(leaf);
  }

  bundles(): readonly TrustBundle[] {
    return this.#bundles;
  }

  setLeaf(leaf: ServedLeaf): void {
    this.#version += 1;
    const serial = leafSerial(leaf.chainPem);
    this.#entries.set(leaf.identity, { leaf, serial, version: this.#version });
  }

  dropLeaf(identity: string): void {
    this.#entries.delete(identity);
  }

  version(identity: string): number {
    return this.#entries.get(identity)?.version ?? 0;
  }

  server(identity: string): ServerTlsOptions | undefined {
    const entry = this.#usable(identity);
    if (!entry) return undefined;
    entry.server ??= {
      ...contextOptions(entry.leaf, this.#ca),
      requestCert: true,
      rejectUnauthorized: true,
      ALPNProtocols: ["h2"],
    };
    return entry.server;
  }

  client(identity: string): ClientTlsOptions | undefined {
    const entry = this.#usable(identity);
    if (!entry) return undefined;
    entry.client ??= {
      secureContext: createSecureContext(contextOptions(entry.leaf, this.#ca)),
      own: this.#own(entry),
      notAfterMs: entry.leaf.notAfterMs,
      rejectUnauthorized: true,
      ALPNProtocols: ["h2"],
      // Pods have no host names; `verifyPeer` compares the SPIFFE ID, always.
      checkServerIdentity: () => undefined,
    };
    return entry.client;
  }

  own(identity: string): OwnLeaf | undefined {
    const entry = this.#usable(identity);
    return entry && this.#own(entry);
  }

  issuers(): ReadonlySet<string> {
    return new Set(Array.from(this.#entries.values(), (entry) => this.#own(entry).issuer));
  }

  #own(entry: Entry): OwnLeaf {
    entry.own ??= ownLeaf(entry.leaf, trustedRoots(this.#bundles));
    return entry.own;
  }

  #usable(identity: string): Entry | undefined {
    // Without roots Node would fall back to the public CAs of its own list.
    const entry = this.#ca === "" ? undefined : this.#entries.get(identity);
    return entry && this.isRevoked(entry.serial) ? undefined : entry;
  }

  toJSON(): string {
    return "[redacted]";
  }
}

function leafSerial(chainPem: string): string {
  const pem = parseCertificatesPem(chainPem);
  const [leaf] = pem.kind === "parsed" ? pem.certificates : [];
  const parsed = leaf && parseCertificate(leaf);
  return parsed?.kind === "parsed" ? formatSerial(parsed.certificate.serial) : "";
}

function ownLeaf({ identity, chainPem }: ServedLeaf, roots: readonly Uint8Array[]): OwnLeaf {
  const pem = parseCertificatesPem(chainPem);
  const chain = pem.kind === "parsed" ? pem.certificates : [];
  const { trustDomain = "" } = parseSpiffeId(identity) ?? {};
  return { trustDomain, chain, issuer: issuerFingerprint(chain, roots) };
}

function contextOptions(leaf: ServedLeaf, ca: string): SecureContextOptions {
  return {
    key: leaf.keyPem,
    cert: leaf.chainPem,
    ca,
    minVersion: "TLSv1.3",
    maxVersion: "TLSv1.3",
    // The two that ztunnel offers; the cheaper one first.
    ciphers: "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384",
    honorCipherOrder: true,
    // A resumed session would outlive the roots it was verified by (CVE-2022-21654).
    secureOptions: constants.SSL_OP_NO_TICKET | constants.SSL_OP_NO_RENEGOTIATION,
    // OpenSSL refuses to mix sessions of contexts that differ here.
    sessionIdContext: "weft-hbone",
  };
}
