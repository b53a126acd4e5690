/**
 * The HTTP of the control process with its metrics, as one module that is loaded after the pods are served: neither
 * people nor Prometheus wait for the first hundred milliseconds.
 */
import type { AdminServer } from "../core/process/admin.ts";
import { createMetrics } from "../core/process/metrics.ts";
import type { NodeProxyConfig } from "./config.ts";
import { type ControlView, openControlServers } from "./control-admin.ts";
import { exposeCaptures } from "./telemetry/capture-metrics.ts";
import { exposeLeaves, type LeavesToExpose } from "./telemetry/leaf-metrics.ts";
import type { TrafficAnswers } from "./traffic-answers.ts";
import { VERSION } from "./version.ts";

export interface ServedControl extends Omit<ControlView, "metrics"> {
  readonly leafReports: LeavesToExpose;
  readonly traffic: TrafficAnswers;
}

/** Resolves once all listen. */
export async function serveControl(
  config: NodeProxyConfig,
  { leafReports, traffic, ...view }: ServedControl,
): Promise<readonly AdminServer[]> {
  const registry = createMetrics({ name: "nodeproxy", version: VERSION, node: process.version });
  registry.setDefaultLabels({ process: "control" });
  exposeLeaves(registry, leafReports);
  exposeCaptures(registry, view.captures);
  return openControlServers(config, { ...view, metrics: () => traffic.page(registry) });
}
