/** A node of `traffic-mesh.ts` whose traffic is carried by worker threads, with hands on the threads. */
import { Worker } from "node:worker_threads";
import { Registry } from "prom-client";
import { createLog } from "../../core/process/log.ts";
import type { FromTraffic } from "../../nodeproxy/channel/messages.ts";
import { DEFAULT_POD_LIMITS } from "../../nodeproxy/flow/pod-slots.ts";
import type { WorkerStart } from "../../nodeproxy/workers/messages.ts";
import { TrafficWorkers } from "../../nodeproxy/workers/traffic-workers.ts";
import type { TrafficNode } from "./traffic-mesh.ts";

export interface WorkerNode extends TrafficNode {
  /** The thread that is a worker now, by its number. */
  readonly threads: Worker[];
  /** Lines of the access log. */
  readonly lines: AccessLine[];
  /** Resolves with the first message to control that was or is told and is as asked for. */
  heard(isIt: (message: FromTraffic) => boolean): Promise<FromTraffic>;
  /** In Prometheus' text format. */
  metrics(): Promise<string>;
}

export interface AccessLine {
  readonly direction: string;
  /** Address and port of the caller. */
  readonly source: string;
  readonly code: string;
  readonly tunnelled: boolean;
  /** Of a call that policy refused: its id. */
  readonly denial?: string;
}

export function createWorkerNode(node: string, count: number): WorkerNode {
  const threads: Worker[] = [];
  const lines: AccessLine[] = [];
  const told: FromTraffic[] = [];
  const hearing = new Set<(message: FromTraffic) => void>();
  const traffic = new TrafficWorkers({
    count,
    log: createLog({ name: "test", level: "fatal" }),
    startThread: (start) => {
      const workerData: WorkerStart = {
        ...start,
        node,
        limits: DEFAULT_POD_LIMITS,
        logLevel: "error",
        logFile: "",
      };
      const program = new URL("../../nodeproxy/traffic-worker-main.ts", import.meta.url);
      const thread = new Worker(program, {
        workerData,
        resourceLimits: { maxOldGenerationSizeMb: 96 },
      });
      threads[start.index] = thread;
      return thread;
    },
    metrics: { own: new Registry(), added: new Registry() },
    labels: { process: "traffic" },
    writeLines: (text) => {
      for (const line of text.trimEnd().split("\n")) lines.push(JSON.parse(line) as AccessLine);
    },
    onStuck: (worker) => {
      throw new Error(`worker ${worker} is stuck`);
    },
    send: (message) => {
      told.push(message);
      for (const hear of hearing) hear(message);
    },
  });
  let metricsId = 0;
  async function heard(isIt: (message: FromTraffic) => boolean): Promise<FromTraffic> {
    const before = told.find(isIt);
    if (before) return before;
    return new Promise((resolve) => {
      function hear(message: FromTraffic): void {
        if (!isIt(message)) return;
        hearing.delete(hear);
        resolve(message);
      }
      hearing.add(hear);
    });
  }
  return {
    traffic,
    threads,
    lines,
    ended: [],
    told,
    heard,
    nextEnded: () => Promise.reject(new Error("see `lines`")),
    nextTold: () => new Promise((resolve) => hearing.add(resolve)),
    metrics: async () => {
      metricsId += 1;
      const id = metricsId;
      traffic.onMessage({ kind: "metrics_request", id }, []);
      const answer = await heard((message) => message.kind === "metrics" && message.id === id);
      return answer.kind === "metrics" ? answer.text : "";
    },
  };
}
