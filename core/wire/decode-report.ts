/** A node's report as the model has it, checked. Whose it is comes from the stream's token, never from the message. */
import type { NodeReport } from "../model/node-report.ts";
import type { Decoded } from "./decode-resource.ts";
import { CAPTURE_STATES } from "./enum-table.ts";
import { Findings } from "./findings.ts";
import type * as wire from "./gen/weft/v1/node_pb.ts";

// A node runs some hundred pods; this only bounds what a broken one can make the operator keep.
const MAX_ENTRIES = 10_000;
const MAX_TIME_MS = 8_640_000_000_000_000;

export function decodeReport(node: string, report: wire.Report): Decoded<NodeReport> {
  const findings = new Findings();
  for (const list of [report.captures, report.leaves, report.bundles, report.olderTunnels]) {
    findings.integer("entries", list.length, [0, MAX_ENTRIES]);
  }
  const value: NodeReport = {
    node,
    version: findings.text("version", report.version),
    captures: report.captures.map((capture) => ({
      uid: findings.name("captures.uid", capture.uid),
      state: findings.member("captures.state", CAPTURE_STATES, capture.state),
      reason: findings.optionalName("captures.reason", capture.reason),
      message: findings.text("captures.message", capture.message),
      connectionsOutside: capture.connectionsOutside,
    })),
    leaves: report.leaves.map(({ identity, issuer, serial, notBeforeMs, notAfterMs }) => ({
      identity: findings.name("leaves.identity", identity),
      issuer: findings.optionalName("leaves.issuer", issuer),
      serial: findings.optionalName("leaves.serial", serial),
      notBeforeMs: findings.integer("leaves.notBeforeMs", Number(notBeforeMs), [0, MAX_TIME_MS]),
      notAfterMs: findings.integer("leaves.notAfterMs", Number(notAfterMs), [0, MAX_TIME_MS]),
    })),
    bundles: report.bundles.map(({ trustDomain, version }) => ({
      trustDomain: findings.trustDomain("bundles.trustDomain", trustDomain),
      version: findings.optionalName("bundles.version", version),
    })),
    olderTunnels: report.olderTunnels.map(({ issuer, count }) => ({
      issuer: findings.name("olderTunnels.issuer", issuer),
      count,
    })),
  };
  if (findings.reasons.length > 0) return { kind: "refused", reasons: findings.reasons };
  return { kind: "decoded", value };
}
