/**
 * A node in simulated time: takes bundles and leaves from the replica that it is connected to, reports what it has, and
 * judges the chains of others by what it holds. Its data plane goes on while it cannot reach any operator.
 */
import { generateKeyPairSync } from "node:crypto";
import type { NodeReport } from "../../core/model/node-report.ts";
import type { TrustBundle } from "../../core/model/trust-bundle.ts";
import { certificateFingerprint } from "../../core/x509/fingerprint.ts";
import { parseCertificate } from "../../core/x509/parse-certificate.ts";
import { verifyChain } from "../../core/x509/verify-chain.ts";
import type { Authority } from "../../operator/ca/authority.ts";

const LEAF_SECONDS = 24 * 3600;

export interface SimulatedLeaf {
  /** DER, leaf first. */
  readonly chain: readonly Uint8Array[];
  readonly fingerprint: string;
  readonly issuer: string;
  readonly notBeforeMs: number;
  readonly notAfterMs: number;
}

export function readLeaf(chain: readonly Uint8Array[]): SimulatedLeaf {
  const [leaf = new Uint8Array(), issuer = new Uint8Array()] = chain;
  const parsed = parseCertificate(leaf);
  if (parsed.kind === "malformed") throw new Error(parsed.message);
  const { notBeforeMs, notAfterMs } = parsed.certificate;
  return {
    chain,
    fingerprint: certificateFingerprint(leaf),
    issuer: certificateFingerprint(issuer),
    notBeforeMs,
    notAfterMs,
  };
}

export interface VersionedBundle {
  readonly bundle: TrustBundle;
  readonly version: string;
}

/** A replica of the operator, as a node sees it. */
export interface LeafSource {
  readonly held: VersionedBundle;
  readonly authority: Pick<Authority, "issueLeaf">;
  /** By its clock. */
  readonly now: number;
}

export class SimulatedNode {
  readonly name: string;
  readonly #publicKey: Uint8Array;
  /** Certificates that were judged already, by bundle version: real signatures are slow, and never change. */
  readonly #judged: Map<string, boolean>;
  held: VersionedBundle;
  leaf: SimulatedLeaf;
  /** Ahead of true time. */
  skewMs = 0;
  /** Index of the replica that it is connected to. */
  seat = 0;
  awayUntilMs = 0;

  constructor(name: string, first: LeafSource, judged: Map<string, boolean>) {
    const { publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
    this.name = name;
    this.#publicKey = publicKey.export({ format: "der", type: "spki" });
    this.#judged = judged;
    this.held = first.held;
    this.leaf = this.#ask(first);
  }

  /** It is of another issuer than the one that signs, or past its half. */
  wantsLeaf(trueNow: number): boolean {
    const { issuer, notBeforeMs, notAfterMs } = this.leaf;
    const isOld = trueNow + this.skewMs > (notBeforeMs + notAfterMs) / 2;
    return isOld || issuer !== this.held.bundle.issuer;
  }

  /** Takes a leaf of the replica's CA, unless that is the one it has. */
  renewLeaf(source: LeafSource): void {
    const leaf = this.#ask(source);
    const isOlder = leaf.issuer !== this.held.bundle.issuer && leaf.issuer === this.leaf.issuer;
    if (!isOlder) this.leaf = leaf;
  }

  /** Would a handshake with the owner of `leaf` succeed, on this side? */
  accepts(leaf: SimulatedLeaf, trueNow: number): boolean {
    return this.isInTime(leaf, trueNow) && this.trusts(leaf);
  }

  /** By its own clock. */
  isInTime({ notBeforeMs, notAfterMs }: SimulatedLeaf, trueNow: number): boolean {
    const now = trueNow + this.skewMs;
    return now >= notBeforeMs && now <= notAfterMs;
  }

  /** Whatever its time. */
  trusts(leaf: SimulatedLeaf): boolean {
    const key = `${leaf.fingerprint} ${this.held.version}`;
    const known = this.#judged.get(key);
    if (known !== undefined) return known;
    const isTrusted = judge(this.held.bundle, leaf);
    this.#judged.set(key, isTrusted);
    return isTrusted;
  }

  report(olderTunnels: NodeReport["olderTunnels"]): NodeReport {
    const { issuer, notBeforeMs, notAfterMs } = this.leaf;
    const { trustDomain } = this.held.bundle;
    return {
      node: this.name,
      version: "simulated",
      captures: [],
      leaves: [{ identity: this.name, issuer, serial: "", notBeforeMs, notAfterMs }],
      bundles: [{ trustDomain, version: this.held.version }],
      olderTunnels,
    };
  }

  #ask({ authority, now }: LeafSource): SimulatedLeaf {
    const { trustDomain } = this.held.bundle;
    const identity = { trustDomain, namespace: "shop", serviceAccount: this.name };
    const publicKey = this.#publicKey;
    const request = { publicKey, identity, lifetimeSeconds: LEAF_SECONDS, now };
    return readLeaf(authority.issueLeaf(request).chain);
  }
}

/** As a node does it: the chain leads to a root of the bundle, and nothing on its way is retired. */
function judge({ roots, retired }: TrustBundle, leaf: SimulatedLeaf): boolean {
  const now = (leaf.notBeforeMs + leaf.notAfterMs) / 2;
  const verified = verifyChain({ chain: leaf.chain, roots, now });
  if (verified.kind === "refused") return false;
  const path = [...leaf.chain, verified.root.der].map(certificateFingerprint);
  return path.every((fingerprint) => !retired.includes(fingerprint));
}
