/**
 * What carries the traffic of a node, by setting: the process's own thread, or workers that it leads. Together with
 * the log and the metrics that belong to it.
 */
import type { Registry } from "prom-client";
import type { Log } from "../core/process/log.ts";
import type { FromTraffic } from "./channel/messages.ts";
import type { NodeProxyConfig } from "./config.ts";
import { createAccessLog } from "./telemetry/access-log.ts";
import { ConnectionMetrics } from "./telemetry/connection-metrics.ts";
import { createTraffic } from "./traffic-app.ts";
import type { Traffic } from "./traffic-options.ts";
import { VERSION } from "./version.ts";

/** What is told of the process itself begins then; connections that wait for its start come first. */
const FIRST_SERVED_MS = 500;

export interface OpenTrafficOptions {
  readonly config: NodeProxyConfig;
  readonly log: Log;
  readonly send: (message: FromTraffic) => void;
}

/** `close` resolves once the access log is written. */
export type OpenTraffic = Pick<Traffic, "onMessage" | "leave"> & { close(): Promise<void> };

export async function openTraffic(options: OpenTrafficOptions): Promise<OpenTraffic> {
  if (options.config.workers === 0) return openAlone(options);
  const { openWorkers } = await import("./open-workers.ts");
  return openWorkers(options);
}

function openAlone({ config, log, send }: OpenTrafficOptions): OpenTraffic {
  const metrics = new ConnectionMetrics();
  const accessLog = createAccessLog({
    file: config.accessLogFile,
    onDropped: () => metrics.accessLineDropped(),
  });
  let exposing: Promise<Registry> | undefined;
  function exposed(): Promise<Registry> {
    exposing ??= expose(metrics);
    return exposing;
  }
  const exposure = setTimeout(() => void exposed(), FIRST_SERVED_MS);
  const { node } = config;
  const traffic = createTraffic({
    node,
    log,
    metrics,
    metricsText: async () => (await exposed()).metrics(),
    accessLog,
    limits: config.podLimits,
    send,
  });
  return {
    onMessage: (message, descriptors) => traffic.onMessage(message, descriptors),
    leave: (withinMs) => traffic.leave(withinMs),
    close: async () => {
      clearTimeout(exposure);
      traffic.close();
      await accessLog.close();
    },
  };
}

async function expose(metrics: ConnectionMetrics): Promise<Registry> {
  const [{ Counter, Histogram }, { createMetrics }] = await Promise.all([
    import("prom-client"),
    import("../core/process/metrics.ts"),
  ]);
  const registry = createMetrics({ name: "traffic", version: VERSION, node: process.version });
  registry.setDefaultLabels({ process: "traffic" });
  metrics.expose(registry, { Counter, Histogram });
  return registry;
}
