/**
 * Do the nodes' clocks agree? Each kubelet writes its own time into its Lease every few seconds.
 *
 * A lease older than its life means a node that is away, not a slow clock, so only the future is sure.
 */
import type { ClusterObject } from "../mesh/cluster-objects.ts";
import type { Finding } from "../mesh/finding.ts";

/** Certificates are backdated by five minutes; beyond half of it a person should look. */
const TOLERATED_MS = 150_000;

export function checkClock(leases: readonly ClusterObject[], nowMs: number): readonly Finding[] {
  const times = leases.flatMap(({ metadata, spec }) => {
    const renewedMs = Date.parse(String(spec?.["renewTime"]));
    return Number.isNaN(renewedMs) ? [] : [{ node: metadata.name, aheadMs: renewedMs - nowMs }];
  });
  const wrong = times.filter(({ aheadMs }) => Math.abs(aheadMs) > TOLERATED_MS);
  if (wrong.length === 0) {
    return [
      { check: "clock", level: "ok", message: `${times.length} nodes agree with this machine` },
    ];
  }
  return wrong.map(({ node, aheadMs }) => {
    const seconds = Math.round(Math.abs(aheadMs) / 1000);
    const message =
      aheadMs > 0
        ? `the clock of ${node} is ${seconds} s ahead of this machine's`
        : `${node} last wrote its lease ${seconds} s ago by this machine's clock: it is away, or its clock is behind`;
    return { check: "clock", level: "warn" as const, message };
  });
}
