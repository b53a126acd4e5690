/**
 * The NodeReport object of one node: what it reported and what it acknowledged, so that every replica
 * and every person can know it. `resources/node-report.ts` reads it back. Pure.
 */
import type { NodeReport } from "../../core/model/node-report.ts";
import type { AppliedByNode } from "./enforcement.ts";

/** What status conditions ask for; the rest of what a node holds is nobody's business. */
const TOLD = ["enrolment ", "policy ", "settings "];

export function nodeReportStatus(
  report: NodeReport,
  held: AppliedByNode["held"],
  reportedAtMs: number,
): object {
  return {
    ...reportContent(report, held),
    // Of two reports of one node the later counts.
    reportedAt: new Date(reportedAtMs).toISOString(),
  };
}

/** Without the time: equal where nothing has changed. */
export function reportContent(report: NodeReport, held: AppliedByNode["held"]): object {
  const { node, version, captures, leaves, bundles } = report;
  return {
    node,
    version,
    captured: captures.filter(({ state }) => state === "captured").length,
    failed: captures.filter(({ state }) => state === "failed").length,
    captures: captures.toSorted((a, b) => compare(a.uid, b.uid)),
    leaves: leaves
      .map(({ identity, issuer, notAfterMs }) => {
        return { identity, issuer, notAfter: new Date(notAfterMs).toISOString() };
      })
      .toSorted((a, b) => compare(a.identity, b.identity)),
    bundles: bundles.toSorted((a, b) => compare(a.trustDomain, b.trustDomain)),
    applied: formatApplied(held),
  };
}

/** Each `kind name@version`, sorted. */
export function formatApplied(held: AppliedByNode["held"]): readonly string[] {
  return [...held]
    .filter(([key]) => TOLD.some((kind) => key.startsWith(kind)))
    .map(([key, { version }]) => `${key}@${version}`)
    .toSorted(compare);
}

/** What another replica wrote of what the node holds; `undefined` where it wrote nothing of the kind. */
export function parseApplied(status: unknown): AppliedByNode | undefined {
  if (typeof status !== "object" || status === null || !("applied" in status)) return undefined;
  if (!Array.isArray(status.applied)) return undefined;
  const held = new Map<string, { readonly version: string }>();
  for (const entry of status.applied as readonly unknown[]) {
    if (typeof entry !== "string") continue;
    const at = entry.lastIndexOf("@");
    if (at > 0) held.set(entry.slice(0, at), { version: entry.slice(at + 1) });
  }
  return { held, refused: [] };
}

function compare(a: string, b: string): number {
  return a < b ? -1 : Number(a > b);
}
