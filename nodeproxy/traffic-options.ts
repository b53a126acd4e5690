/** What carries a node's traffic is given and can be told, whether it is one thread or several. */
import type { Log } from "../core/process/log.ts";
import type { Healths } from "./balance/member.ts";
import type { FromTraffic, ToTraffic } from "./channel/messages.ts";
import type { CountOf, PodLimits } from "./flow/pod-slots.ts";
import type { Meters } from "./limit/meters.ts";
import type { Slots } from "./outbound/service-slots.ts";
import type { GuardMemory } from "./resilience/guards.ts";
import type { AccessLog } from "./telemetry/access-log.ts";
import type { ConnectionMetrics } from "./telemetry/connection-metrics.ts";

export interface TrafficOptions {
  readonly node: string;
  readonly log: Log;
  readonly metrics: ConnectionMetrics;
  /** All of the process, in Prometheus' text format. */
  readonly metricsText: () => Promise<string>;
  readonly accessLog: AccessLog;
  /** Of one pod. */
  readonly limits?: PodLimits;
  readonly send: (message: FromTraffic) => void;
  /** Where this is one of several threads: what they count together. */
  readonly shares?: TrafficShares;
}

export interface TrafficShares {
  readonly countOf: CountOf;
  readonly slots: Slots;
  readonly guards: GuardMemory;
  readonly healths: Healths;
  /** Where the requests to a pod are counted. */
  readonly metersOf: (pod: string) => Meters;
  /** In place of closing it: the others use the descriptor too. */
  readonly leaveNamespace: (fd: number) => void;
}

export interface Traffic {
  /** What control says. The descriptors are taken over. */
  onMessage(message: ToTraffic, descriptors: readonly number[]): void;
  /** Goes on for as long as nobody else serves the node, then stops accepting (`leave-node.ts`). */
  leave(withinMs: number): Promise<void>;
  /** Ends everything now. */
  close(): void;
}
