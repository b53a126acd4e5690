/**
 * What the traffic process does as leaves and roots change: new connections get those of now, tunnels that are not
 * trusted any more end at once, and those under an older issuer make room for new ones. Decides about no peer itself.
 */
import type { ResourceKind } from "../core/model/resource.ts";
import type { FromTraffic, ServedLeaf } from "./channel/messages.ts";
import { peerChain } from "./identity/peer-chain.ts";
import type { TlsContexts } from "./identity/tls-context.ts";
import { vouchersOf } from "./identity/vouchers.ts";
import type { Current } from "./state/current.ts";
import type { TrafficPod } from "./traffic-pod.ts";
import { createTrustCheck } from "./tunnel/is-still-trusted.ts";
import type { LeafWaiters } from "./tunnel/leaf-waiters.ts";
import type { IsTrusted, TunnelPool } from "./tunnel/pool.ts";
import type { TunnelIssuers } from "./tunnel/tunnel-issuers.ts";

export interface TrafficTrustParts {
  readonly current: Current;
  readonly contexts: TlsContexts;
  readonly leafWaiters: LeafWaiters;
  readonly issuers: TunnelIssuers;
  readonly pool: TunnelPool;
  readonly pods: () => Iterable<TrafficPod>;
  readonly send: (message: FromTraffic) => void;
}

export class TrafficTrust {
  readonly #parts: TrafficTrustParts;
  #meshDomains: readonly string[] = [];
  #toldChanges = -1;

  constructor(parts: TrafficTrustParts) {
    this.#parts = parts;
  }

  /** The mesh's trust domain and its aliases. */
  get meshDomains(): readonly string[] {
    return this.#meshDomains;
  }

  /** After changes of these kinds have been applied. */
  react(touched: ReadonlySet<ResourceKind>): void {
    if (touched.has("revocation")) this.#endRevoked();
    const isRenamed = touched.has("settings") && this.#rename();
    if (!isRenamed && !touched.has("bundle")) return;
    const { current, contexts, leafWaiters } = this.#parts;
    contexts.setBundles(vouchersOf([...current.bundles()], current.settings()));
    leafWaiters.wake();
    this.endUntrusted();
  }

  #endRevoked(): void {
    const { contexts, pool, pods } = this.#parts;
    pool.endRevoked(contexts.isRevoked);
    for (const pod of pods()) pod.endRevoked(contexts.isRevoked);
  }

  /** Ends tunnels, at once, one of whose ends is not trusted any more. */
  endUntrusted(): void {
    const { contexts, pool, pods } = this.#parts;
    const check = createTrustCheck(contexts.bundles());
    function isTrusted(...[socket, own]: Parameters<IsTrusted>): boolean {
      return check(own.chain) && check(peerChain(socket));
    }
    pool.endUntrusted(isTrusted);
    for (const pod of pods()) pod.endUntrusted(isTrusted);
  }

  setLeaf(leaf: ServedLeaf): void {
    const { contexts, leafWaiters, pool } = this.#parts;
    contexts.setLeaf(leaf);
    pool.outdateIdentity(leaf.identity);
    leafWaiters.wake();
    this.#leaveOlderIssuers();
  }

  dropLeaf(identity: string): void {
    this.#parts.contexts.dropLeaf(identity);
    this.#parts.pool.drainIdentity(identity);
  }

  /** Control knows nothing yet: tells it again. */
  tellAnew(): void {
    this.#toldChanges = -1;
    this.#tell();
  }

  /** Every second. */
  tick(): void {
    if (this.#isAnyOlder()) this.#leaveOlderIssuers();
    this.#tell();
  }

  #tell(): void {
    const { issuers, send } = this.#parts;
    if (issuers.changes === this.#toldChanges) return;
    this.#toldChanges = issuers.changes;
    send({ kind: "tunnel_issuers", issuers: issuers.counts() });
  }

  /** Also those whose handshake ended after the change, and those whose successor failed at first. */
  #leaveOlderIssuers(): void {
    const { contexts, pool, pods } = this.#parts;
    pool.leaveOlderIssuers((identity) => contexts.own(identity)?.issuer ?? "");
    for (const pod of pods()) pod.leaveOlderIssuers();
  }

  /** Hardly ever: spares looking at every tunnel each second. */
  #isAnyOlder(): boolean {
    const served = this.#parts.contexts.issuers();
    return (
      served.size > 1 || this.#parts.issuers.counts().some(({ issuer }) => !served.has(issuer))
    );
  }

  #rename(): boolean {
    const names = this.#parts.current.settings();
    const domains = names ? [names.trustDomain, ...names.trustDomainAliases] : [];
    const isRenamed = domains.join() !== this.#meshDomains.join();
    this.#meshDomains = domains;
    return isRenamed;
  }
}
