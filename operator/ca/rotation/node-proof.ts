/**
 * Has a node followed a step of the rotation? Judged by nothing but what it reported itself. Pure.
 *
 * What is asked of each node is named in the order in which it comes true: the bundle, then the leaves, then the tunnels.
 */
import type { NodeReport } from "../../../core/model/node-report.ts";

/** What a node lacks; "" where it has followed. */
export type Missing = "" | "NoReport" | "Bundle" | "Leaves" | "Tunnels";

export interface RotatingNode {
  readonly node: string;
  /** `undefined` where it has none (any more). */
  readonly report: NodeReport | undefined;
  /** Milliseconds since the epoch; 0 where there is no report. */
  readonly reportedAtMs: number;
}

export interface NodeProof {
  readonly node: string;
  readonly state: "Proven" | "Waiting" | "Waived";
  readonly missing: Missing;
  /** A sentence for people; "" where nothing is missing. */
  readonly message: string;
  readonly reportedAtMs: number;
}

export interface ProofQuestion {
  readonly trustDomain: string;
  /** Of the bundle that is told to nodes now. */
  readonly bundleVersion: string;
  /** Whose leaves have to be served; `undefined` in the phases that do not ask for them. */
  readonly issuer: string | undefined;
  readonly waivedNodes: readonly string[];
}

export function proveNode(
  { node, report, reportedAtMs }: RotatingNode,
  question: ProofQuestion,
): NodeProof {
  const lack = report ? lackOf(report, question) : NO_REPORT;
  const isWaived = question.waivedNodes.includes(node);
  const state = lack.missing === "" ? "Proven" : isWaived ? "Waived" : "Waiting";
  return { node, state, ...lack, reportedAtMs };
}

type Lack = Pick<NodeProof, "missing" | "message">;

const NO_REPORT: Lack = { missing: "NoReport", message: "it does not report any more" };

function lackOf(
  { bundles, leaves, olderTunnels }: NodeReport,
  { trustDomain, bundleVersion, issuer }: ProofQuestion,
): Lack {
  const held = bundles.find((bundle) => bundle.trustDomain === trustDomain)?.version;
  if (held !== bundleVersion) {
    return { missing: "Bundle", message: "it has not reported the trust bundle of this step" };
  }
  if (issuer === undefined) return { missing: "", message: "" };
  const older = leaves.filter((leaf) => leaf.issuer !== issuer).length;
  if (older > 0) {
    const message = `${older} of ${leaves.length} leaves are of the issuer from before`;
    return { missing: "Leaves", message };
  }
  const tunnels = olderTunnels.reduce((sum, { count }) => sum + count, 0);
  if (tunnels > 0) {
    return { missing: "Tunnels", message: `${tunnels} tunnels are of the issuer from before` };
  }
  return { missing: "", message: "" };
}
