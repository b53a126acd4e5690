/**
 * The operator's memory of leaves, kept going: what is to be remembered of a node is written down before anyone is
 * told, leaves that have ended are forgotten, and a report goes once it has outlived its node and all that it names.
 */
import type { Log } from "../core/process/log.ts";
import type { ClusterIndex } from "./index/cluster-index.ts";
import type { NodeLine } from "./node-line.ts";
import type { Platform } from "./platform.ts";
import { makeTombstone } from "./source/tombstone.ts";

const REVIEW_MS = 1_000;
const NODE_REPORT = { apiVersion: "weft.dev/v1", kind: "NodeReport" };

export interface LeafKeepingParts {
  readonly index: ClusterIndex;
  readonly line: NodeLine;
  readonly platform: Platform;
  readonly log: Log;
}

/** Of these nodes something has to be written down. */
export function writeKeptLeaves(
  { index, line, platform }: LeafKeepingParts,
  nodes: readonly string[],
): void {
  for (const node of nodes) {
    // Together with its report, which comes by this replica.
    if (line.has(node)) line.retell(node);
    else {
      platform.tellKeptLeaves({
        node,
        unwritten: () => (index.isKeptWritten(node) ? undefined : index.keptLeaves(node)),
        isGone: index.isGone(node),
      });
    }
  }
}

/** Returns how to stop. */
export function startLeafReview({ index, platform, log }: LeafKeepingParts): () => void {
  const told = new Set<string>();
  const timer = setInterval(() => {
    index.review();
    for (const node of index.overflowedNodes()) {
      if (told.has(node)) continue;
      told.add(node);
      log.error({ node, reason: "too_many_leaves" }, "not every certificate is remembered");
    }
    for (const node of index.outlivedReports()) {
      if (!platform.dropReport(node)) continue;
      const identity = { namespace: "", name: node, uid: "" };
      index.apply({ kind: "delete", object: makeTombstone(NODE_REPORT, identity) });
    }
  }, REVIEW_MS);
  return () => clearInterval(timer);
}
