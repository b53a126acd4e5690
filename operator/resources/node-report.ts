/**
 * The NodeReport object: what a node told the replica it is connected to, for all other replicas.
 *
 * Written by `operator/status/`, read back here. A report that cannot be read says nothing.
 */
import type {
  CaptureReport,
  LeafReport,
  NodeReport,
  OlderTunnels,
} from "../../core/model/node-report.ts";
import { type KubeObject, type Parsed, refused } from "./kube-object.ts";
import { asList, asRecord, asText, type RawRecord, recordsOf } from "./narrow.ts";

export interface DatedNodeReport {
  readonly report: NodeReport;
  /** `status.reportedAt`: of two reports of one node the later counts. */
  readonly reportedAtMs: number;
  /**
   * UIDs of the pods that callers reach through the tunnel. More than those that the node says are
   * captured at the moment: one that was stays so until it is released.
   */
  readonly tunnels: readonly string[];
}

export interface RevokedLeaf {
  /** Hex. */
  readonly serial: string;
  readonly notAfterMs: number;
}

export interface EarlierLeaf extends RevokedLeaf {
  readonly identity: string;
}

/** What is remembered of a node's leaves beside its latest report. */
export interface KeptLeaves {
  /** `metadata.uid` of the Node when this was written; "" where there was none. */
  readonly nodeUid: string;
  /** That another leaf has replaced, and that have not ended. */
  readonly earlier: readonly EarlierLeaf[];
  /** That are not to be accepted any more, and have not ended. */
  readonly revoked: readonly RevokedLeaf[];
}

const STATES = ["pending", "captured", "releasing", "failed"] as const;

export function parseNodeReport({ metadata, status }: KubeObject): Parsed<DatedNodeReport> {
  const raw = asRecord(status);
  if (!raw) return refused("status is missing");
  const reportedAtMs = Date.parse(asText(raw["reportedAt"]) ?? "");
  if (Number.isNaN(reportedAtMs)) return refused("status.reportedAt is not a time");
  const report = {
    node: metadata.name,
    version: asText(raw["version"]) ?? "",
    captures: recordsOf(raw["captures"]).flatMap(parseCapture),
    leaves: recordsOf(raw["leaves"]).flatMap(parseLeaf),
    bundles: recordsOf(raw["bundles"]).flatMap(parseBundle),
    olderTunnels: recordsOf(raw["olderTunnels"]).flatMap(parseOlderTunnels),
  };
  const tunnels = (asList(raw["tunnels"]) ?? []).flatMap((uid) => asText(uid) ?? []);
  return { kind: "accepted", value: { report, reportedAtMs, tunnels } };
}

/** Of the same object. What cannot be read is left out. */
export function parseKeptLeaves(status: unknown): KeptLeaves {
  const raw = asRecord(status);
  return {
    nodeUid: asText(raw?.["nodeUid"]) ?? "",
    earlier: recordsOf(raw?.["earlierLeaves"]).flatMap((entry) => {
      const identity = asText(entry["identity"]);
      return identity === undefined
        ? []
        : parseRevoked(entry).map((leaf) => ({ ...leaf, identity }));
    }),
    revoked: recordsOf(raw?.["revoked"]).flatMap(parseRevoked),
  };
}

function parseRevoked(raw: RawRecord): readonly RevokedLeaf[] {
  const serial = asText(raw["serial"]);
  const notAfterMs = Date.parse(asText(raw["notAfter"]) ?? "");
  return serial === undefined || Number.isNaN(notAfterMs) ? [] : [{ serial, notAfterMs }];
}

function parseCapture(raw: RawRecord): readonly CaptureReport[] {
  const uid = asText(raw["uid"]);
  const state = STATES.find((known) => known === raw["state"]);
  if (uid === undefined || state === undefined) return [];
  const connectionsOutside = raw["connectionsOutside"];
  return [
    {
      uid,
      state,
      reason: asText(raw["reason"]) ?? "",
      message: asText(raw["message"]) ?? "",
      connectionsOutside: typeof connectionsOutside === "number" ? connectionsOutside : 0,
    },
  ];
}

function parseLeaf(raw: RawRecord): readonly LeafReport[] {
  const identity = asText(raw["identity"]);
  const issuer = asText(raw["issuer"]);
  const notAfterMs = Date.parse(asText(raw["notAfter"]) ?? "");
  if (identity === undefined || issuer === undefined || Number.isNaN(notAfterMs)) return [];
  const notBeforeMs = Date.parse(asText(raw["notBefore"]) ?? "");
  return [
    {
      identity,
      issuer,
      serial: asText(raw["serial"]) ?? "",
      notBeforeMs: Number.isNaN(notBeforeMs) ? 0 : notBeforeMs,
      notAfterMs,
    },
  ];
}

function parseOlderTunnels(raw: RawRecord): readonly OlderTunnels[] {
  const issuer = asText(raw["issuer"]);
  const count = raw["count"];
  return issuer === undefined || typeof count !== "number" ? [] : [{ issuer, count }];
}

function parseBundle(raw: RawRecord): NodeReport["bundles"] {
  const trustDomain = asText(raw["trustDomain"]);
  const version = asText(raw["version"]);
  return trustDomain === undefined || version === undefined ? [] : [{ trustDomain, version }];
}
