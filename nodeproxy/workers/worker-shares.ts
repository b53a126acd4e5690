/** What one worker's traffic counts together with the others', and what of it goes through the main thread. */
import type { Log } from "../../core/process/log.ts";
import type { Healths } from "../balance/member.ts";
import type { CountOf } from "../flow/pod-slots.ts";
import type { Meters } from "../limit/meters.ts";
import type { GuardMemory } from "../resilience/guards.ts";
import type { FromWorker } from "./messages.ts";
import { SharedGuards } from "./shared-guards.ts";
import { SharedHealths } from "./shared-health.ts";
import { type MeterMemory, SharedMeters } from "./shared-meters.ts";
import { SharedSlots } from "./shared-slots.ts";
import type { SharedTable } from "./shared-table.ts";

export interface WorkerShares {
  readonly slots: SharedSlots;
  readonly guards: GuardMemory;
  readonly healths: Healths;
  readonly countOf: CountOf;
  readonly metersOf: (pod: string) => Meters;
  readonly leaveNamespace: (fd: number) => void;
}

export interface WorkerSharesOptions {
  readonly table: SharedTable;
  readonly meters: MeterMemory;
  readonly post: (message: FromWorker) => void;
  readonly log: Log;
}

export function createWorkerShares({
  table,
  meters,
  post,
  log,
}: WorkerSharesOptions): WorkerShares {
  let isFullTold = false;
  function onFull(): void {
    if (isFullTold) return;
    isFullTold = true;
    log.error(
      { code: "worker_counts_full" },
      "too many endpoints: limits of the rest are each worker's",
    );
  }
  const healths = new SharedHealths(table, onFull);
  return {
    slots: new SharedSlots({
      table,
      tell: (worker, service) => post({ kind: "grants", worker, service }),
      onFull,
    }),
    guards: new SharedGuards(table, onFull),
    healths,
    countOf: (key) => healths.of(`pod ${key}`),
    metersOf: (pod) => new SharedMeters(meters, table.worker, pod),
    leaveNamespace: (namespaceFd) => post({ kind: "left", namespaceFd }),
  };
}
