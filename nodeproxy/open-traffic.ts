/**
 * What carries the traffic of a node, by setting: the process's own thread, or workers that it leads. Together with
 * the log and the metrics that belong to it.
 */
import { Worker } from "node:worker_threads";
import { Registry } from "prom-client";
import type { Log } from "../core/process/log.ts";
import { createMetrics } from "../core/process/metrics.ts";
import type { FromTraffic } from "./channel/messages.ts";
import type { NodeProxyConfig } from "./config.ts";
import { createAccessLog, openAccessFile } from "./telemetry/access-log.ts";
import { ConnectionMetrics } from "./telemetry/connection-metrics.ts";
import { createTraffic } from "./traffic-app.ts";
import type { Traffic } from "./traffic-options.ts";
import { VERSION } from "./version.ts";
import type { WorkerStart } from "./workers/messages.ts";
import { TrafficWorkers } from "./workers/traffic-workers.ts";

const LABELS = { process: "traffic" };

export interface OpenTrafficOptions {
  readonly config: NodeProxyConfig;
  readonly log: Log;
  readonly send: (message: FromTraffic) => void;
}

/** `close` resolves once the access log is written. */
export type OpenTraffic = Pick<Traffic, "onMessage" | "leave"> & { close(): Promise<void> };

export function openTraffic(options: OpenTrafficOptions): OpenTraffic {
  return options.config.workers > 0 ? openWorkers(options) : openAlone(options);
}

function openAlone({ config, log, send }: OpenTrafficOptions): OpenTraffic {
  const registry = createMetrics({ name: "traffic", version: VERSION, node: process.version });
  registry.setDefaultLabels(LABELS);
  const metrics = new ConnectionMetrics(registry);
  const accessLog = createAccessLog({
    file: config.accessLogFile,
    onDropped: () => metrics.accessLineDropped(),
  });
  const { node } = config;
  const traffic = createTraffic({
    node,
    log,
    metrics,
    metricsText: () => registry.metrics(),
    accessLog,
    limits: config.podLimits,
    send,
  });
  return {
    onMessage: (message, descriptors) => traffic.onMessage(message, descriptors),
    leave: (withinMs) => traffic.leave(withinMs),
    close: async () => {
      traffic.close();
      await accessLog.close();
    },
  };
}

function openWorkers({ config, log, send }: OpenTrafficOptions): OpenTraffic {
  const own = createMetrics({ name: "traffic", version: VERSION, node: process.version });
  own.setDefaultLabels(LABELS);
  const added = new Registry();
  const metrics = new ConnectionMetrics(added);
  const accessFile = openAccessFile({
    file: config.accessLogFile,
    onDropped: () => metrics.accessLineDropped(),
  });
  const { workers: count, node, logLevel, logFile, podLimits: limits } = config;
  const workers = new TrafficWorkers({
    count,
    log,
    startThread: (start) => startWorkerThread({ ...start, node, limits, logLevel, logFile }),
    metrics: { own, added },
    labels: LABELS,
    writeLines: (text) => accessFile.write(text),
    send,
    onStuck: (worker) => {
      log.fatal({ code: "worker_stuck", worker }, "worker cannot be ended, ending the process");
      // The keeper starts another; the sockets' queues wait for it.
      process.kill(process.pid, "SIGKILL");
    },
  });
  return {
    onMessage: (message, descriptors) => workers.onMessage(message, descriptors),
    leave: (withinMs) => workers.leave(withinMs),
    close: async () => {
      await workers.close();
      await accessFile.close();
    },
  };
}

function startWorkerThread(workerData: WorkerStart): Worker {
  const program = new URL("./traffic-worker-main.ts", import.meta.url);
  return new Worker(program, { workerData });
}
