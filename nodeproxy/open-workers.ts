/** The traffic process as one that only leads its workers, loaded where the setting asks for them. */
import { Worker } from "node:worker_threads";
import { Counter, Histogram, Registry } from "prom-client";
import { createMetrics } from "../core/process/metrics.ts";
import type { OpenTraffic, OpenTrafficOptions } from "./open-traffic.ts";
import { openAccessFile } from "./telemetry/access-log.ts";
import { ConnectionMetrics } from "./telemetry/connection-metrics.ts";
import { VERSION } from "./version.ts";
import type { WorkerStart } from "./workers/messages.ts";
import { TrafficWorkers } from "./workers/traffic-workers.ts";

const LABELS = { process: "traffic" };

export function openWorkers({ config, log, send }: OpenTrafficOptions): OpenTraffic {
  const own = createMetrics({ name: "traffic", version: VERSION, node: process.version });
  own.setDefaultLabels(LABELS);
  const added = new Registry();
  const metrics = new ConnectionMetrics();
  metrics.expose(added, { Counter, Histogram });
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
