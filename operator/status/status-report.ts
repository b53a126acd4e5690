/** What `GET /status` tells: the conditions of all objects, what is ignored, and what the nodes report. Pure. */
import type { NodeReport } from "../../core/model/node-report.ts";
import type { ObjectStatus } from "./mesh-status.ts";

export interface StatusQuestion {
  readonly statuses: readonly ObjectStatus[];
  /** Of each CARotation. */
  readonly rotations: readonly object[];
  readonly ignored: readonly { readonly object: string; readonly reasons: readonly string[] }[];
  /** What the source cannot read at the moment. */
  readonly sourceErrors: readonly { readonly place: string; readonly message: string }[];
  readonly nodes: readonly {
    readonly node: string;
    /** Its stream ends at this replica. */
    readonly connected: boolean;
    readonly report: NodeReport | undefined;
  }[];
}

export function statusReport({
  statuses,
  rotations,
  ignored,
  sourceErrors,
  nodes,
}: StatusQuestion): object {
  return {
    objects: statuses.map(({ state, conditions, nodes: enforcing, ignored: unseen }) => {
      const { kind, namespace, name, generation } = state;
      return { kind, namespace, name, generation, conditions, nodes: enforcing, ignored: unseen };
    }),
    rotations,
    ignored,
    sourceErrors,
    nodes: nodes.map(({ node, connected, report }) => ({ node, connected, ...report })),
  };
}
