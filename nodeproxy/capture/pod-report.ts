/** What is told of one pod's capture: each change once, and not tried again too soon after a failure. */
import type { CaptureReport, CaptureState } from "../../core/model/node-report.ts";
import type { CaptureParts } from "./capture-parts.ts";
import { RulesError } from "./rules-error.ts";

/** After a failure, which is seldom over at once. */
const RETRY_MS = 2000;

export class PodReport {
  readonly #uid: string;
  readonly #parts: Pick<CaptureParts, "log" | "onState">;
  #current: CaptureReport | undefined;
  #retryAtMs = 0;

  constructor(uid: string, parts: Pick<CaptureParts, "log" | "onState">) {
    this.#uid = uid;
    this.#parts = parts;
  }

  get current(): CaptureReport | undefined {
    return this.#current;
  }

  mayTry(nowMs: number): boolean {
    return nowMs >= this.#retryAtMs;
  }

  tell(
    state: CaptureState,
    { reason = "", message = "", connectionsOutside = 0 }: Partial<CaptureReport> = {},
  ): void {
    const report = { uid: this.#uid, state, reason, message, connectionsOutside };
    this.#retryAtMs = state === "failed" ? Date.now() + RETRY_MS : 0;
    if (JSON.stringify(report) === JSON.stringify(this.#current)) return;
    this.#current = report;
    this.#parts.onState(report);
  }

  /** Of anything thrown; logged once for as long as it stays the same. */
  fail(error: unknown): void {
    const message = Error.isError(error) ? error.message : String(error);
    const reason = error instanceof RulesError ? "rules_failed" : "capture_failed";
    if (this.#current?.message !== message) {
      this.#parts.log.error({ err: error, uid: this.#uid }, "capture failed");
    }
    this.tell("failed", { reason, message });
  }

  clear(): void {
    this.#current = undefined;
  }
}
