/**
 * Writes what nodes report to the API: one NodeReport a node, and `weft.dev/Captured` on its pods.
 * Done by whichever replica holds the node's stream, leader or not.
 */

import type { KubeApi } from "../../core/kube/kube-api.ts";
import { KubeError } from "../../core/kube/kube-error.ts";
import type { CaptureReport } from "../../core/model/node-report.ts";
import type { Log } from "../../core/process/log.ts";
import { applyNodeReport, createEvent, patchPodCondition } from "../kube/status-patches.ts";
import { capturedCondition } from "./captured-condition.ts";
import { CoalescedWrites } from "./coalesced-writes.ts";
import type { Condition } from "./conditions.ts";
import { nodeReportStatus, reportContent, type ToldReport } from "./node-report-object.ts";
import type { PodPlace } from "./pod-directory.ts";

export interface ReportWriterOptions {
  readonly api: KubeApi;
  readonly findPod: (uid: string) => PodPlace | undefined;
  readonly log: Log;
}

interface ReportWrite {
  readonly told: ToldReport;
  readonly content: string;
}

interface PodWrite {
  readonly pod: PodPlace;
  readonly condition: Condition;
}

export class ReportWriter {
  readonly #options: ReportWriterOptions;
  readonly #reports: CoalescedWrites<ReportWrite>;
  readonly #pods: CoalescedWrites<PodWrite>;

  constructor(options: ReportWriterOptions) {
    this.#options = options;
    this.#reports = new CoalescedWrites<ReportWrite>({
      write: (node, value) => this.#writeReport(node, value),
      onFailure: (node, error) => this.#isWorthRetrying(node, error),
      isSame: (a, b) => a.content === b.content,
      intervalMs: 500,
      limit: 8,
    });
    this.#pods = new CoalescedWrites<PodWrite>({
      write: (_uid, value) => this.#writePod(value),
      onFailure: (uid, error) => this.#isWorthRetrying(uid, error),
      isSame: (a, b) => JSON.stringify(a.condition) === JSON.stringify(b.condition),
      intervalMs: 1000,
      limit: 8,
    });
  }

  put(told: ToldReport): void {
    const { report, applied } = told;
    const content = JSON.stringify(reportContent(told));
    // `held` is a live view; what is written must be what was compared.
    const fixed = { ...told, applied: { ...applied, held: new Map(applied.held) } };
    this.#reports.put(report.node, { told: fixed, content });
    for (const capture of report.captures) this.#putPod(report.node, capture);
  }

  /** The node has no stream here any more; what another replica writes must not be undone later. */
  forget(node: string): void {
    this.#reports.forget(node);
  }

  forgetPod(uid: string): void {
    this.#pods.forget(uid);
  }

  async close(): Promise<void> {
    await Promise.all([this.#reports.close(), this.#pods.close()]);
  }

  #putPod(node: string, capture: CaptureReport): void {
    const pod = this.#options.findPod(capture.uid);
    // A node speaks for its own pods only (invariant 6).
    if (pod?.node !== node) return;
    this.#pods.put(capture.uid, { pod, condition: capturedCondition(capture) });
  }

  async #writeReport(node: string, { told }: ReportWrite): Promise<void> {
    await applyNodeReport(this.#options.api, node, nodeReportStatus(told));
  }

  async #writePod({ pod, condition }: PodWrite): Promise<void> {
    const { namespace, name, uid } = pod;
    const { api } = this.#options;
    const lastTransitionTime = new Date().toISOString().replace(/\.\d+Z$/, "Z");
    await patchPodCondition(api, { namespace, name, uid }, { ...condition, lastTransitionTime });
    if (condition.status === "True" || condition.reason === "Pending") return;
    const { reason, message } = condition;
    const object = { apiVersion: "v1", kind: "Pod", namespace, name, uid };
    await createEvent(api, object, { type: "Warning", reason, message });
  }

  #isWorthRetrying(key: string, error: unknown): boolean {
    const isGone = error instanceof KubeError && ["not_found", "conflict"].includes(error.reason);
    if (!isGone) this.#options.log.warn({ err: error, object: key }, "report not written");
    return !isGone;
  }
}
