/**
 * What the main thread of the traffic process and its workers say to each other. Messages between two threads keep
 * their order.
 *
 * Descriptors belong to the process: a number is enough. Those of a pod stay open until every worker has left it.
 */
import type { MetricObjectWithValues, MetricValue } from "prom-client";
import type { LogLevel } from "../../core/process/log-level.ts";
import type { FromTraffic, ToTraffic } from "../channel/messages.ts";
import type { PodLimits } from "../flow/pod-slots.ts";
import type { MeterMemory } from "./shared-meters.ts";
import type { TableMemory } from "./shared-table.ts";

/** What a worker begins with. */
export interface WorkerStart {
  readonly index: number;
  readonly memory: TableMemory;
  readonly meters: MeterMemory;
  readonly node: string;
  readonly limits: PodLimits;
  readonly logLevel: LogLevel;
  readonly logFile: string;
}

export type ToWorker =
  /** As from control. */
  | { readonly kind: "told"; readonly message: ForWorker }
  | WorkerPod
  /** Connections that wait for a place of the Service have been given one. */
  | { readonly kind: "granted"; readonly service: string }
  /** A worker is gone: places may be free. */
  | { readonly kind: "freed" }
  /** Answered with `metrics` of the same `id`. */
  | { readonly kind: "metrics_request"; readonly id: number }
  /** Answered with `gone`: see `leave-node.ts`. */
  | { readonly kind: "leave"; readonly withinMs: number }
  | { readonly kind: "close" };

/** What of control's messages goes to every worker as it is. */
export type ForWorker = Exclude<ToTraffic, { readonly kind: "pod" | "metrics_request" }>;

export interface WorkerPod {
  readonly kind: "pod";
  readonly uid: string;
  readonly families: readonly (4 | 6)[];
  /** Used as it is, and told with `left` when it is used no more. */
  readonly namespaceFd: number;
  /** To be duplicated at once. */
  readonly listenerFds: readonly number[];
}

export type Metrics = readonly MetricObjectWithValues<MetricValue<string>>[];

export type FromWorker =
  /** For control. */
  | { readonly kind: "tells"; readonly message: FromTraffic }
  | { readonly kind: "left"; readonly namespaceFd: number }
  /** For the other worker: `granted`. */
  | { readonly kind: "grants"; readonly worker: number; readonly service: string }
  | { readonly kind: "metrics"; readonly id: number; readonly metrics: Metrics }
  | { readonly kind: "gone" }
  /** Whole lines of the access log. */
  | { readonly kind: "lines"; readonly text: string };
