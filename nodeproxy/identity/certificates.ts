/**
 * The leaves of this node: one for each identity that a pod of this node has, shared by that account's pods.
 *
 * Lives in the control process. `capture` says who is needed, the operator certifies, the traffic process gets
 * what is served. A key exists only as long as a workload needs it (invariant 6).
 */
import type { LeafReport } from "../../core/model/node-report.ts";
import { formatSpiffeId, type SpiffeId } from "../../core/model/spiffe-id.ts";
import type { TrustBundle } from "../../core/model/trust-bundle.ts";
import type { Log } from "../../core/process/log.ts";
import type { ServedLeaf } from "../channel/messages.ts";
import { type HeldLeaf, holdRestored } from "./held-leaf.ts";
import { LeafKeeper } from "./leaf-keeper.ts";

export interface CertificatesOptions {
  /** DER, leaf first, for a pod of this node; the CSR is DER. Rejects where the operator refuses or is away. */
  readonly certify: (
    workload: string,
    csr: Uint8Array,
    signal: AbortSignal,
  ) => Promise<readonly Uint8Array[]>;
  /** The bundles in use now: what the operator answers must lead to their roots. */
  readonly bundles: () => readonly TrustBundle[];
  /** Whether a leaf was taken back, by its serial in hex: it is served no longer than it takes to get another. */
  readonly isRevoked?: (serial: string) => boolean;
  readonly now: () => number;
  /** In [0, 1). */
  readonly random: () => number;
  readonly log: Log;
  /** From now on this leaf is served; it replaces the one before. */
  readonly onLeaf: (leaf: ServedLeaf) => void;
  /** Nothing is served as this identity any more: nobody needs it, or the leaf ended. */
  readonly onDropped: (identity: string) => void;
}

export interface Certificates {
  /** A pod of this node. Another identity for the same UID replaces the one before. */
  need(workload: string, identity: SpiffeId): void;
  release(workload: string): void;
  /** Is a valid leaf served for that pod's identity? Capture waits for it. */
  isServed(workload: string): boolean;
  /** Leaves of the snapshot, before the first `need`: used where they are still valid and someone needs them. */
  restore(leaves: readonly ServedLeaf[]): void;
  /** With keys: for the traffic process that starts anew, and for the snapshot on tmpfs. */
  leaves(): readonly ServedLeaf[];
  report(): readonly LeafReport[];
  /**
   * After a change of bundles: leaves that are missing, retired or do not lead to a root any more are asked for at once,
   * those of another issuer than the one that signs now within ten seconds.
   */
  bundlesChanged(): void;
  /** After a change of revocations: leaves that were taken back while a pod here needs them are asked for at once. */
  revocationsChanged(): void;
  /** Asks for a new leaf for every identity now; the old ones are served until the new are there. */
  renewAll(): void;
  /** Releases every workload that is not among them. */
  keepOnly(workloads: ReadonlySet<string>): void;
  close(): void;
}

export function createCertificates(options: CertificatesOptions): Certificates {
  return new NodeCertificates(options);
}

/** Restored keys that no pod has asked for by then are forgotten. */
const RESTORED_MS = 120_000;

class NodeCertificates implements Certificates {
  readonly #options: CertificatesOptions;
  /** By identity. */
  readonly #keepers = new Map<string, LeafKeeper>();
  /** UID → identity. */
  readonly #identities = new Map<string, string>();
  readonly #restored = new Map<string, ServedLeaf>();
  #forget: NodeJS.Timeout | undefined;

  constructor(options: CertificatesOptions) {
    this.#options = options;
  }

  need(workload: string, identity: SpiffeId): void {
    const uri = formatSpiffeId(identity);
    const before = this.#identities.get(workload);
    if (before === uri) return;
    if (before !== undefined) this.release(workload);
    this.#identities.set(workload, uri);
    const keeper = this.#keepers.get(uri);
    if (keeper) {
      keeper.add(workload);
      // What was asked in the name of a pod that is gone may wait for its next attempt.
      if (this.#hasRevoked(keeper)) keeper.renew(workload);
      return;
    }
    const created = new LeafKeeper(identity, this.#options);
    created.add(workload);
    this.#keepers.set(uri, created);
    created.start(this.#takeRestored(uri));
  }

  release(workload: string): void {
    const uri = this.#identities.get(workload);
    const keeper = uri === undefined ? undefined : this.#keepers.get(uri);
    this.#identities.delete(workload);
    if (uri === undefined || !keeper || keeper.remove(workload)) return;
    this.#keepers.delete(uri);
    keeper.close();
  }

  isServed(workload: string): boolean {
    const leaf = this.#keepers.get(this.#identities.get(workload) ?? "")?.leaf();
    if (!leaf || leaf.notAfterMs <= this.#options.now()) return false;
    return !this.#isRevoked(leaf);
  }

  restore(leaves: readonly ServedLeaf[]): void {
    for (const leaf of leaves) this.#restored.set(leaf.identity, leaf);
    clearTimeout(this.#forget);
    this.#forget = setTimeout(() => this.#restored.clear(), RESTORED_MS);
  }

  leaves(): readonly ServedLeaf[] {
    return this.#held().map(([, leaf]) => leaf.served());
  }

  report(): readonly LeafReport[] {
    return this.#held().map(([identity, { issuer, serial, notBeforeMs, notAfterMs }]) => {
      return { identity, issuer, serial, notBeforeMs, notAfterMs };
    });
  }

  bundlesChanged(): void {
    for (const keeper of this.#keepers.values()) {
      const leaf = keeper.leaf();
      if (!leaf || !this.#isStillTrusted(leaf.served())) keeper.renew();
      else keeper.look();
    }
  }

  revocationsChanged(): void {
    for (const keeper of this.#keepers.values()) {
      if (this.#hasRevoked(keeper)) keeper.renew();
    }
  }

  renewAll(): void {
    for (const keeper of this.#keepers.values()) keeper.renew();
  }

  keepOnly(workloads: ReadonlySet<string>): void {
    for (const workload of this.#identities.keys()) {
      if (!workloads.has(workload)) this.release(workload);
    }
  }

  close(): void {
    clearTimeout(this.#forget);
    this.#restored.clear();
    for (const keeper of this.#keepers.values()) keeper.close();
    this.#keepers.clear();
    this.#identities.clear();
  }

  toJSON(): string {
    return "[redacted]";
  }

  #held(): readonly (readonly [string, HeldLeaf])[] {
    return [...this.#keepers].flatMap(([uri, keeper]) => {
      const leaf = keeper.leaf();
      return leaf ? [[uri, leaf] as const] : [];
    });
  }

  #takeRestored(uri: string): HeldLeaf | undefined {
    const served = this.#restored.get(uri);
    if (!served) return undefined;
    this.#restored.delete(uri);
    const result = this.#check(served);
    if (result.kind === "held" && !this.#isRevoked(result.leaf)) return result.leaf;
    const reason = result.kind === "held" ? "revoked" : result.reason;
    this.#options.log.warn({ identity: uri, reason }, "stored certificate not used");
    return undefined;
  }

  #hasRevoked(keeper: LeafKeeper): boolean {
    const leaf = keeper.leaf();
    return leaf !== undefined && this.#isRevoked(leaf);
  }

  #isRevoked({ serial }: HeldLeaf): boolean {
    return this.#options.isRevoked?.(serial) ?? false;
  }

  #isStillTrusted(served: ServedLeaf): boolean {
    return this.#check(served).kind === "held";
  }

  #check(served: ServedLeaf): ReturnType<typeof holdRestored> {
    const { bundles, now, random } = this.#options;
    return holdRestored(served, { bundles: bundles(), now: now(), random: random() });
  }
}
