/** A node's report as protobuf. The node's name does not travel: the operator knows whose stream it is. */
import { create } from "@bufbuild/protobuf";
import type { NodeReport } from "../model/node-report.ts";
import { CAPTURE_STATES } from "./enum-table.ts";
import * as wire from "./gen/weft/v1/node_pb.ts";

export function encodeReport(report: NodeReport): wire.Report {
  return create(wire.ReportSchema, {
    version: report.version,
    captures: report.captures.map((capture) =>
      create(wire.CaptureReportSchema, { ...capture, state: CAPTURE_STATES[capture.state] }),
    ),
    leaves: report.leaves.map((leaf) =>
      create(wire.LeafReportSchema, {
        ...leaf,
        notBeforeMs: BigInt(leaf.notBeforeMs),
        notAfterMs: BigInt(leaf.notAfterMs),
      }),
    ),
    bundles: report.bundles.map((bundle) => create(wire.BundleReportSchema, bundle)),
    olderTunnels: report.olderTunnels.map((older) => create(wire.OlderTunnelsSchema, older)),
  });
}
