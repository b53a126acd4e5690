/**
 * Which leaves of a node are not to be accepted any more: those whose pod, or whose node, is gone before they end.
 *
 * A node reports what it serves; each leaf is remembered until it ends, also after another has replaced it. One that
 * nobody on its node needs any more is taken back, for good: whoever needs the identity again gets another leaf.
 * Every replica decides by what it sees, and takes over what others wrote down: the set only grows until its leaves end.
 */
import type { LeafReport } from "../../core/model/node-report.ts";
import type { EarlierLeaf, KeptLeaves, RevokedLeaf } from "../resources/node-report.ts";

/** Clocks of nodes differ: a leaf counts as ended everywhere only so long after its end. */
const SKEW_MS = 900_000;
/**
 * A leaf may be heard of before its pod is, from another replica or after a start: one that was never seen needed is
 * taken back only so long after it was heard of.
 */
const UNSEEN_MS = 5_000;
/** Of one node, as the schema of NodeReport has it. What ends first is left out. */
const MAX_LEAVES = 10_000;

/** Of 20 octets at most (RFC 5280 4.1.2.2). */
const SERIAL = /^[0-9a-f]{1,40}$/;

interface KnownLeaf extends EarlierLeaf {
  /** UID of the Node object when it was reported; "" while none is known. */
  readonly nodeUid: string;
  readonly sinceMs: number;
  /** A pod of this identity was seen on the node while the leaf was known. */
  readonly wasNeeded: boolean;
}

/** What a leaf is judged by. */
export interface LeafGround {
  /** UID of the Node object, `undefined` where there is none. */
  readonly nodeUid: string | undefined;
  /** Whether a pod of this identity is on the node and has not ended. */
  readonly isNeeded: (identity: string) => boolean;
  readonly nowMs: number;
}

export interface KeptQuestion {
  readonly nodeUid: string;
  /** Serials that the node's report names. */
  readonly served: ReadonlySet<string>;
}

interface NodeLeaves {
  readonly known: Map<string, KnownLeaf>;
  readonly revoked: Map<string, RevokedLeaf>;
  /** Serials that the written NodeReport names revoked. */
  written: ReadonlySet<string>;
}

export class LeafLedger {
  readonly #nodes = new Map<string, NodeLeaves>();
  /** Serial → the nodes that name it: no node can have taken back what another serves. */
  readonly #claims = new Map<string, Set<string>>();
  /** Nodes with a leaf that was never seen needed. */
  readonly #waiting = new Set<string>();
  readonly #overflowed = new Set<string>();

  /** Nodes that have to be judged again though nothing happens. */
  waiting(): readonly string[] {
    return [...this.#waiting];
  }

  /** Nodes that once had more than are kept. */
  overflowed(): ReadonlySet<string> {
    return this.#overflowed;
  }

  nodes(): readonly string[] {
    return [...this.#nodes.keys()];
  }

  /** What a node said that it serves. */
  serve(
    node: string,
    leaves: readonly LeafReport[],
    told: { readonly nodeUid: string; readonly nowMs: number },
  ): void {
    for (const leaf of leaves) this.#learn(node, leaf, told);
  }

  /** What is written of a node. True where something that is known to be revoked is missing there. */
  learnWritten(node: string, kept: KeptLeaves, nowMs: number): boolean {
    const entry = this.#entry(node);
    const told = { nodeUid: kept.nodeUid, nowMs };
    for (const leaf of kept.earlier) this.#learn(node, leaf, told);
    for (const leaf of kept.revoked) this.#revoke(node, leaf, nowMs);
    entry.written = new Set(kept.revoked.map(({ serial }) => serial));
    this.#bound(node, entry);
    return !this.isWritten(node);
  }

  /** Begins the time anew for leaves that were never seen needed: until now nothing was to be seen. */
  begin(nowMs: number): void {
    for (const { known } of this.#nodes.values()) {
      for (const [serial, leaf] of known) known.set(serial, { ...leaf, sinceMs: nowMs });
    }
  }

  /** Takes back what nobody needs. True where that is something. */
  judge(node: string, ground: LeafGround): boolean {
    const entry = this.#nodes.get(node);
    if (!entry) return false;
    const before = entry.revoked.size;
    this.#waiting.delete(node);
    for (const leaf of entry.known.values()) this.#judgeLeaf(node, leaf, ground);
    this.#bound(node, entry);
    return entry.revoked.size !== before;
  }

  /** Forgets what has ended everywhere. Gives the nodes of which something revoked was forgotten. */
  expire(nowMs: number): readonly string[] {
    const touched: string[] = [];
    for (const [node, { known, revoked }] of this.#nodes) {
      const before = revoked.size;
      for (const { serial } of ended(known, nowMs)) this.#forget(known, serial, node);
      for (const { serial } of ended(revoked, nowMs)) this.#forget(revoked, serial, node);
      if (revoked.size !== before) touched.push(node);
    }
    return touched;
  }

  /** Nothing of the node has to be remembered. */
  isEmpty(node: string): boolean {
    const entry = this.#nodes.get(node);
    return !entry || entry.known.size + entry.revoked.size === 0;
  }

  drop(node: string): void {
    for (const serial of this.#nodes.get(node)?.known.keys() ?? []) this.#unclaim(serial, node);
    this.#nodes.delete(node);
    this.#waiting.delete(node);
    this.#overflowed.delete(node);
  }

  /** Sorted. */
  revokedSerials(node: string): readonly string[] {
    return [...(this.#nodes.get(node)?.revoked.keys() ?? [])].toSorted();
  }

  /** Whether the NodeReport that was seen last names everything that is revoked. */
  isWritten(node: string): boolean {
    const entry = this.#nodes.get(node);
    return !entry || [...entry.revoked.keys()].every((serial) => entry.written.has(serial));
  }

  /** For whoever starts later; beside the leaves that the report itself names. Sorted. */
  kept(node: string, { nodeUid, served }: KeptQuestion): KeptLeaves {
    const { known, revoked } = this.#nodes.get(node) ?? emptyLeaves();
    return {
      nodeUid,
      earlier: [...known.values()]
        .filter(({ serial }) => !served.has(serial))
        .map(({ serial, identity, notAfterMs }) => ({ serial, identity, notAfterMs }))
        .toSorted(bySerial),
      revoked: [...revoked.values()]
        .map(({ serial, notAfterMs }) => ({ serial, notAfterMs }))
        .toSorted(bySerial),
    };
  }

  #learn(
    node: string,
    { identity, serial, notAfterMs }: EarlierLeaf,
    { nodeUid, nowMs }: { readonly nodeUid: string; readonly nowMs: number },
  ): void {
    const { known, revoked } = this.#entry(node);
    if (!SERIAL.test(serial) || known.has(serial) || revoked.has(serial)) return;
    if (hasEnded({ notAfterMs }, nowMs)) return;
    this.#claims.set(serial, (this.#claims.get(serial) ?? new Set<string>()).add(node));
    known.set(serial, { identity, serial, notAfterMs, nodeUid, sinceMs: nowMs, wasNeeded: false });
    this.#waiting.add(node);
  }

  #judgeLeaf(node: string, leaf: KnownLeaf, ground: LeafGround): void {
    const { known } = this.#entry(node);
    const current = ground.nodeUid ?? "";
    const nodeUid = leaf.nodeUid === "" ? current : leaf.nodeUid;
    if (nodeUid === current && ground.isNeeded(leaf.identity)) {
      if (leaf.wasNeeded && nodeUid === leaf.nodeUid) return;
      known.set(leaf.serial, { ...leaf, nodeUid, wasNeeded: true });
    } else if (!leaf.wasNeeded && ground.nowMs - leaf.sinceMs < UNSEEN_MS) {
      this.#waiting.add(node);
    } else if (this.#isContested(leaf, node)) this.#forget(known, leaf.serial, node);
    else this.#revoke(node, leaf, ground.nowMs);
  }

  #revoke(node: string, { serial, notAfterMs }: RevokedLeaf, nowMs: number): void {
    const { known, revoked } = this.#entry(node);
    this.#forget(known, serial, node);
    if (!hasEnded({ notAfterMs }, nowMs)) revoked.set(serial, { serial, notAfterMs });
  }

  #bound(node: string, entry: NodeLeaves): void {
    for (const leaves of [entry.known, entry.revoked]) {
      if (leaves.size <= MAX_LEAVES) continue;
      this.#overflowed.add(node);
      const all: readonly RevokedLeaf[] = [...leaves.values()];
      const first = all.toSorted((a, b) => a.notAfterMs - b.notAfterMs || bySerial(a, b));
      for (const { serial } of first.slice(0, all.length - MAX_LEAVES))
        this.#forget(leaves, serial, node);
    }
  }

  #forget(leaves: Map<string, unknown>, serial: string, node: string): void {
    leaves.delete(serial);
    this.#unclaim(serial, node);
  }

  /** Another node names the same leaf, though each is made for one node: the word of one that needs it counts. */
  #isContested({ serial, wasNeeded }: KnownLeaf, node: string): boolean {
    for (const other of this.#claims.get(serial) ?? []) {
      const theirs = this.#nodes.get(other)?.known.get(serial);
      if (other !== node && theirs && (theirs.wasNeeded || !wasNeeded)) return true;
    }
    return false;
  }

  #unclaim(serial: string, node: string): void {
    const nodes = this.#claims.get(serial);
    nodes?.delete(node);
    if (nodes?.size === 0) this.#claims.delete(serial);
  }

  #entry(node: string): NodeLeaves {
    const entry = this.#nodes.get(node) ?? emptyLeaves();
    this.#nodes.set(node, entry);
    return entry;
  }
}

function emptyLeaves(): NodeLeaves {
  return { known: new Map(), revoked: new Map(), written: new Set() };
}

function ended<Leaf extends RevokedLeaf>(
  leaves: ReadonlyMap<string, Leaf>,
  nowMs: number,
): readonly Leaf[] {
  return [...leaves.values()].filter((leaf) => hasEnded(leaf, nowMs));
}

function hasEnded({ notAfterMs }: Pick<RevokedLeaf, "notAfterMs">, nowMs: number): boolean {
  return nowMs > notAfterMs + SKEW_MS;
}

function bySerial(a: Pick<RevokedLeaf, "serial">, b: Pick<RevokedLeaf, "serial">): number {
  return a.serial < b.serial ? -1 : Number(a.serial > b.serial);
}
