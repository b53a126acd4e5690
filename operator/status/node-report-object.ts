/**
 * The NodeReport object of one node: what it reported and what it acknowledged, so that every replica
 * and every person can know it. `resources/node-report.ts` reads it back. Pure.
 *
 * `status` is an ordinary field of it, not a subresource: the operator alone writes the object, and one
 * server-side apply makes it and fills it, where a subresource would need a second call in between
 * which the object says nothing.
 */
import type { NodeReport } from "../../core/model/node-report.ts";
import { type ResourceRef, resourceKey } from "../../core/model/resource.ts";
import { asList, asRecord, asText, recordsOf } from "../resources/narrow.ts";
import type { KeptLeaves } from "../resources/node-report.ts";
import type { AppliedByNode } from "./enforcement.ts";

/** What status conditions ask for; the rest of what a node holds is nobody's business. */
const TOLD = ["bundle", "enrolment", "policy", "settings", "traffic"] as const;
/** Longest texts that the CRD takes. */
const MAX_VERSION = 256;
const MAX_MESSAGE = 1024;
const MAX_REFUSED = 1000;
/** The last moment that RFC 3339 can write: the end of the year 9999. */
const MAX_TIME_MS = 253_402_300_799_999;

/** What a node told this replica last. */
export interface ToldReport {
  readonly report: NodeReport;
  /** May be a live view. */
  readonly applied: AppliedByNode;
  /** As the index dates it: later than any report of the node that is known, whatever the clocks say. */
  readonly reportedAtMs: number;
  /** As the index knows them, sorted: what a replica that starts now must know of. */
  readonly tunnels: readonly string[];
  readonly kept: KeptLeaves;
}

export function nodeReportStatus(told: ToldReport): object {
  return {
    ...reportContent(told),
    // Of two reports of one node the later counts.
    reportedAt: formatTime(told.reportedAtMs),
  };
}

/** Without the time: equal where nothing has changed. */
export function reportContent({
  report,
  applied,
  tunnels,
  kept,
}: Omit<ToldReport, "reportedAtMs">): object {
  const { node, version, captures, leaves, bundles, olderTunnels } = report;
  const revoked = new Set(kept.revoked.map(({ serial }) => serial));
  return {
    node,
    version: version.slice(0, MAX_VERSION),
    captured: captures.filter(({ state }) => state === "captured").length,
    failed: captures.filter(({ state }) => state === "failed").length,
    captures: captures
      .map((capture) => ({ ...capture, message: capture.message.slice(0, MAX_MESSAGE) }))
      .toSorted((a, b) => compare(a.uid, b.uid)),
    // One that was taken back serves nobody: nothing waits for its renewal or warns of its end.
    leaves: leaves
      .filter(({ serial }) => !revoked.has(serial))
      .map(({ identity, issuer, serial, notBeforeMs, notAfterMs }) => {
        const notBefore = formatTime(notBeforeMs);
        return { identity, issuer, serial, notBefore, notAfter: formatTime(notAfterMs) };
      })
      .toSorted((a, b) => compare(a.identity, b.identity)),
    bundles: bundles.toSorted((a, b) => compare(a.trustDomain, b.trustDomain)),
    olderTunnels: olderTunnels.toSorted((a, b) => compare(a.issuer, b.issuer)),
    tunnels,
    ...keptContent(kept),
    applied: formatApplied(applied.held),
    refused: formatRefused(applied.refused),
  };
}

/** What `parseKeptLeaves` reads back. */
export function keptContent({ nodeUid, earlier, revoked }: KeptLeaves) {
  return {
    nodeUid,
    earlierLeaves: earlier.map(({ identity, serial, notAfterMs }) => {
      return { identity, serial, notAfter: formatTime(notAfterMs) };
    }),
    revoked: revoked.map(({ serial, notAfterMs }) => ({
      serial,
      notAfter: formatTime(notAfterMs),
    })),
  };
}

function formatRefused(refused: AppliedByNode["refused"]): readonly object[] {
  return refused
    .filter(({ kind }) => TOLD.some((told) => told === kind))
    .slice(0, MAX_REFUSED)
    .map((each) => ({ resource: resourceKey(each), reason: each.reason.slice(0, MAX_MESSAGE) }))
    .toSorted((a, b) => compare(a.resource, b.resource));
}

/** Each `kind name@version`, sorted. */
export function formatApplied(held: AppliedByNode["held"]): readonly string[] {
  return [...held]
    .filter(([key]) => TOLD.some((kind) => key.startsWith(`${kind} `)))
    .map(([key, { version }]) => `${key}@${version}`)
    .toSorted(compare);
}

/** What another replica wrote of what the node holds; `undefined` where it wrote nothing of the kind. */
export function parseApplied(status: unknown): AppliedByNode | undefined {
  const raw = asRecord(status);
  const applied = asList(raw?.["applied"]);
  if (!applied) return undefined;
  const held = new Map<string, { readonly version: string }>();
  for (const entry of applied) {
    if (typeof entry !== "string") continue;
    const at = entry.lastIndexOf("@");
    if (at > 0) held.set(entry.slice(0, at), { version: entry.slice(at + 1) });
  }
  const refused = recordsOf(raw?.["refused"]).flatMap(({ resource, reason }) => {
    const ref = parseRef(asText(resource) ?? "");
    return ref ? [{ ...ref, reason: asText(reason) ?? "" }] : [];
  });
  return { held, refused };
}

function parseRef(key: string): ResourceRef | undefined {
  const kind = TOLD.find((told) => key.startsWith(`${told} `));
  return kind && { kind, name: key.slice(kind.length + 1) };
}

/** RFC 3339 with milliseconds. */
function formatTime(ms: number): string {
  return new Date(Math.min(ms, MAX_TIME_MS)).toISOString();
}

function compare(a: string, b: string): number {
  return a < b ? -1 : Number(a > b);
}
