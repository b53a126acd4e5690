/** The certificates of a node with an operator that may be away, slow or wrong; time is the test's. */
import { pino } from "pino";
import { parseSpiffeId, type SpiffeId } from "../../core/model/spiffe-id.ts";
import type { TrustBundle } from "../../core/model/trust-bundle.ts";
import { parseCsr } from "../../core/x509/parse-csr.ts";
import type { ServedLeaf } from "../../nodeproxy/channel/messages.ts";
import {
  type Certificates,
  type CertificatesOptions,
  createCertificates,
} from "../../nodeproxy/identity/certificates.ts";
import { type Authority, createAuthority } from "../../operator/ca/authority.ts";
import { createMemoryKeyStore } from "./memory-key-store.ts";

export const WEB = "spiffe://cluster.local/ns/shop/sa/web";
export const START = Date.parse("2026-03-01T12:00:00Z");

export function idOf(uri: string): SpiffeId {
  const identity = parseSpiffeId(uri);
  if (!identity) throw new Error(`${uri} is no SPIFFE ID`);
  return identity;
}

/** An operator that may be away, slow or wrong, and a node that hears what is served. */
export class CertificatesWorld {
  readonly served: ServedLeaf[] = [];
  readonly dropped: string[] = [];
  readonly revoked = new Set<string>();
  readonly asked: string[] = [];
  readonly logged: { level: number; reason?: string; msg: string }[] = [];
  lifetimeSeconds = 3600;
  random = 0.5;
  fail: ((workload: string) => Error | undefined) | undefined;
  answerAs = WEB;
  /** The operator's clock less the node's. */
  operatorAheadMs = 0;
  alter: (chain: readonly Uint8Array[]) => readonly Uint8Array[] = (chain) => chain;
  authority: Authority;
  bundles: readonly TrustBundle[];
  readonly certificates: Certificates;

  constructor(authority: Authority) {
    this.authority = authority;
    this.bundles = [authority.bundle()];
    this.certificates = this.create();
  }

  create(): Certificates {
    const options: CertificatesOptions = {
      certify: (workload, csr) => this.#certify(workload, csr),
      bundles: () => this.bundles,
      isRevoked: (serial) => this.revoked.has(serial),
      now: () => Date.now(),
      random: () => this.random,
      log: pino({ level: "trace" }, { write: (line) => this.logged.push(JSON.parse(line)) }),
      onLeaf: (leaf) => this.served.push(leaf),
      onDropped: (identity) => this.dropped.push(identity),
    };
    return createCertificates(options);
  }

  async #certify(workload: string, csr: Uint8Array): Promise<readonly Uint8Array[]> {
    this.asked.push(workload);
    const error = this.fail?.(workload);
    if (error) throw error;
    const parsed = parseCsr(csr);
    if (parsed.kind === "refused") throw new Error(parsed.reason);
    const { chain } = this.authority.issueLeaf({
      publicKey: parsed.publicKey,
      identity: idOf(this.answerAs),
      lifetimeSeconds: this.lifetimeSeconds,
      now: Date.now() + this.operatorAheadMs,
    });
    return this.alter(chain);
  }
}

export async function newAuthority(): Promise<Authority> {
  const keyStore = createMemoryKeyStore();
  return createAuthority({ keyStore, trustDomain: "cluster.local", now: Date.now() });
}
