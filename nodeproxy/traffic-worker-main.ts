/**
 * One worker thread of the traffic process (`workers/traffic-workers.ts` starts it): a whole `traffic-app.ts` with
 * tunnels and pools of its own, that shares its listening sockets and its counts with the others.
 *
 * What it does not catch ends the thread, never the process.
 */
import { parentPort, workerData } from "node:worker_threads";
import { Counter, Histogram, Registry } from "prom-client";
import { createLog } from "../core/process/log.ts";
import { duplicateDescriptor } from "./sys/descriptor.ts";
import { ConnectionMetrics } from "./telemetry/connection-metrics.ts";
import { createTraffic } from "./traffic-app.ts";
import { createAccessBatches } from "./workers/access-batches.ts";
import type { FromWorker, ToWorker, WorkerStart } from "./workers/messages.ts";
import { SharedTable } from "./workers/shared-table.ts";
import { createWorkerShares } from "./workers/worker-shares.ts";

const BEAT_MS = 500;

if (!parentPort) throw new Error("not a worker thread");
const port = parentPort;
const { index, memory, meters, node, limits, logLevel, logFile } = workerData as WorkerStart;
const log = createLog({
  name: "weft-nodeproxy-traffic",
  level: logLevel,
  ...(logFile === "" ? {} : { file: logFile }),
}).child({ worker: index });
const table = new SharedTable(memory, index);
const shares = createWorkerShares({ table, meters, post, log });
const registry = new Registry();
const metrics = new ConnectionMetrics();
metrics.expose(registry, { Counter, Histogram });
const accessLog = createAccessBatches((text) => post({ kind: "lines", text }));
const traffic = createTraffic({
  node,
  log,
  metrics,
  metricsText: () => registry.metrics(),
  accessLog,
  limits,
  send: (message) => post({ kind: "tells", message }),
  shares,
});

port.on("message", take);
setInterval(() => table.beat(), BEAT_MS);
table.beat();

function take(message: ToWorker): void {
  switch (message.kind) {
    case "told":
      traffic.onMessage(message.message, []);
      return;
    case "pod": {
      const { uid, families, namespaceFd, listenerFds } = message;
      const listeners = listenerFds.map(duplicateDescriptor);
      traffic.onMessage({ kind: "pod", uid, families }, [namespaceFd, ...listeners]);
      return;
    }
    case "granted":
      shares.slots.granted(message.service);
      return;
    case "freed":
      shares.slots.freed();
      return;
    case "metrics_request":
      void tellMetrics(message.id);
      return;
    case "leave":
      void leave(message.withinMs);
      return;
    case "close":
      void end();
      return;
  }
}

function post(message: FromWorker): void {
  port.postMessage(message);
}

async function tellMetrics(id: number): Promise<void> {
  post({ kind: "metrics", id, metrics: await registry.getMetricsAsJSON() });
}

async function leave(withinMs: number): Promise<void> {
  await traffic.leave(withinMs);
  post({ kind: "gone" });
}

async function end(): Promise<void> {
  traffic.close();
  await accessLog.close();
  // Of the thread.
  process.exit(0);
}
