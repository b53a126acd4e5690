/**
 * The leaves of nodes against the pods and nodes that there are: what is taken back, and every node told of it.
 *
 * Judges only once everything is known (`begin`), and then a node whenever its pods, its Node object or its report
 * have changed, once a batch. A pod that is in the API and has not ended keeps its identity, enrolled or being
 * released, also while it is being ended.
 */
import type { NodeReport } from "../../core/model/node-report.ts";
import { parseSpiffeId } from "../../core/model/spiffe-id.ts";
import { createResource } from "../compile/resource-version.ts";
import type { Node } from "../resources/node.ts";
import type { KeptLeaves } from "../resources/node-report.ts";
import { LeafLedger } from "./leaf-ledger.ts";
import type { PodStore } from "./pod-store.ts";
import type { ResourceTable } from "./resource-table.ts";

export interface RevocationsParts {
  readonly pods: Pick<PodStore, "onNode">;
  readonly nodes: ReadonlyMap<string, Node>;
  /** What every node gets. */
  readonly global: ResourceTable;
}

export class Revocations {
  readonly #parts: RevocationsParts;
  readonly #ledger = new LeafLedger();
  readonly #marked = new Set<string>();
  /** Nodes of which something has to be written down. */
  readonly #unwritten = new Set<string>();
  /** Names of Nodes that were deleted and have not come back. */
  readonly #deleted = new Set<string>();
  /** By node, of Nodes as a NodeReport names them. */
  readonly #writtenUids = new Map<string, string>();
  #hasBegun = false;

  constructor(parts: RevocationsParts) {
    this.#parts = parts;
  }

  /** Everything that there is has been applied. */
  begin(nowMs: number): void {
    this.#hasBegun = true;
    this.#ledger.begin(nowMs);
    for (const node of this.#ledger.nodes()) this.#marked.add(node);
    for (const node of this.#writtenUids.keys()) {
      if (!this.#parts.nodes.has(node)) this.#deleted.add(node);
    }
  }

  /** Something on the node has changed. */
  mark(node: string): void {
    this.#marked.add(node);
  }

  nodeChanged(name: string): void {
    if (this.#parts.nodes.has(name)) this.#deleted.delete(name);
    else this.#deleted.add(name);
    this.#marked.add(name);
  }

  serve({ node, leaves }: NodeReport, nowMs: number): void {
    this.#ledger.serve(node, leaves, { nodeUid: this.#parts.nodes.get(node)?.uid ?? "", nowMs });
    this.#marked.add(node);
  }

  /** What another replica, or this one before its restart, wrote of a node. */
  learn({ node, leaves }: NodeReport, kept: KeptLeaves, nowMs: number): void {
    this.#ledger.serve(node, leaves, { nodeUid: kept.nodeUid, nowMs });
    if (kept.nodeUid !== "") this.#writtenUids.set(node, kept.nodeUid);
    if (this.#ledger.learnWritten(node, kept, nowMs)) this.#unwritten.add(node);
    this.#marked.add(node);
  }

  /** Judges what was marked. */
  settle(nowMs: number): void {
    for (const node of this.#marked) {
      if (this.#hasBegun && this.#judge(node, nowMs)) this.#unwritten.add(node);
      this.#publish(node);
    }
    this.#marked.clear();
  }

  /** Every second or so: forgets what has ended, and looks again at what had to wait. True where there is something to settle. */
  review(nowMs: number): boolean {
    for (const node of [...this.#ledger.expire(nowMs), ...this.#ledger.waiting()]) {
      this.#marked.add(node);
    }
    return this.#marked.size > 0;
  }

  /** Nodes whose `kept` has to be written down; each is told once. */
  takeUnwritten(): readonly string[] {
    const nodes = [...this.#unwritten];
    this.#unwritten.clear();
    return nodes;
  }

  isWritten(node: string): boolean {
    return this.#ledger.isWritten(node);
  }

  /** `served`: what the node's latest report names. */
  kept(node: string, leaves: NodeReport["leaves"]): KeptLeaves {
    const served = new Set(leaves.map(({ serial }) => serial));
    const nodeUid = this.#parts.nodes.get(node)?.uid ?? this.#writtenUids.get(node) ?? "";
    return this.#ledger.kept(node, { nodeUid, served });
  }

  overflowed(): ReadonlySet<string> {
    return this.#ledger.overflowed();
  }

  /** It was there and is not: what asks in its name gets no certificate. */
  isGone(node: string): boolean {
    return this.#deleted.has(node);
  }

  /** The node is gone, and nothing has to be remembered of it. */
  isOver(node: string): boolean {
    if (!this.isGone(node) || hasAny(this.#parts.pods.onNode(node))) return false;
    return this.#ledger.isEmpty(node);
  }

  /** Its report is gone. */
  forget(node: string): void {
    if (!this.isOver(node)) return;
    this.#ledger.drop(node);
    this.#writtenUids.delete(node);
    this.#deleted.delete(node);
  }

  #judge(node: string, nowMs: number): boolean {
    const living = new Set<string>();
    for (const pod of this.#parts.pods.onNode(node)) {
      if (!pod.ended && !pod.hostNetwork) living.add(accountOf(pod));
    }
    return this.#ledger.judge(node, {
      nodeUid: this.#parts.nodes.get(node)?.uid,
      isNeeded: (uri) => {
        const identity = parseSpiffeId(uri);
        return identity !== undefined && living.has(accountOf(identity));
      },
      nowMs,
    });
  }

  #publish(node: string): void {
    const serials = this.#ledger.revokedSerials(node);
    const { global } = this.#parts;
    if (serials.length === 0) global.drop({ kind: "revocation", name: node });
    else global.put(createResource(node, { kind: "revocation", value: { node, serials } }));
  }
}

interface Account {
  readonly namespace: string;
  readonly serviceAccount: string;
}

function accountOf({ namespace, serviceAccount }: Account): string {
  return `${namespace}/${serviceAccount}`;
}

function hasAny(some: Iterable<unknown>): boolean {
  return [...some].length > 0;
}
