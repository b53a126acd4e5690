/**
 * What the nodes report captured, from whichever replica they are connected to.
 *
 * Once captured, a pod stays so for its callers until its node says that it is being released, or
 * until it is nobody's any more: a node proxy that starts again, or fails, must never make them fall
 * back to plaintext (invariant 1).
 *
 * A report from our own stream always counts from the moment it comes, whatever the clock of the
 * replica that wrote the one before: else a release could go unheard, and callers would keep using a
 * tunnel whose rules are going.
 */
import type { CaptureState, NodeReport } from "../../core/model/node-report.ts";
import type { DatedNodeReport } from "../resources/node-report.ts";

export class ReportStore {
  readonly #byNode = new Map<string, DatedNodeReport>();
  readonly #captured = new Map<string, ReadonlySet<string>>();
  /** As the latest report says, without memory. */
  readonly #capturedNow = new Map<string, ReadonlySet<string>>();
  readonly #isEnrolled: (uid: string) => boolean;

  /** `isEnrolled`: a pod that its node no longer names is still to be captured again. */
  constructor(isEnrolled: (uid: string) => boolean) {
    this.#isEnrolled = isEnrolled;
  }

  /** Whether a node reports a pod of its own captured: a report about another node's pod has no effect. */
  isCaptured(node: string, uid: string): boolean {
    return this.#captured.get(node)?.has(uid) ?? false;
  }

  /** Whether its node says so at the moment: only then do its policies rule it for sure. */
  isCapturedNow(node: string, uid: string): boolean {
    return this.#capturedNow.get(node)?.has(uid) ?? false;
  }

  /** With all pods that have the tunnel now, so that who reads it later knows as much as this store. */
  get(node: string): DatedNodeReport | undefined {
    return this.#byNode.get(node);
  }

  /** Names of the nodes with a report. */
  nodes(): readonly string[] {
    return [...this.#byNode.keys()];
  }

  /** From our own stream. */
  putOwn(report: NodeReport, nowMs: number): readonly string[] {
    const before = this.#byNode.get(report.node)?.reportedAtMs ?? 0;
    return this.#replace({ report, reportedAtMs: Math.max(nowMs, before + 1), tunnels: [] });
  }

  /** From an object that this or another replica wrote. Older than what is known: nothing happens. */
  putWritten(written: DatedNodeReport): readonly string[] {
    const known = this.#byNode.get(written.report.node);
    if (known && known.reportedAtMs >= written.reportedAtMs) return [];
    return this.#replace(written);
  }

  drop(node: string): readonly string[] {
    const before = this.#captured.get(node) ?? new Set<string>();
    this.#byNode.delete(node);
    this.#captured.delete(node);
    this.#capturedNow.delete(node);
    return [...before];
  }

  /** UIDs whose state differs from the report before. */
  #replace(dated: DatedNodeReport): readonly string[] {
    const { node, captures } = dated.report;
    const before = this.#captured.get(node) ?? new Set<string>();
    const states = new Map(captures.map(({ uid, state }) => [uid, state]));
    const named = captures.filter(({ state }) => state === "captured").map(({ uid }) => uid);
    const now = new Set(named);
    for (const uid of before) if (this.#remains(uid, states.get(uid))) now.add(uid);
    // Whoever wrote them has seen to it that they remain; the pods may not be known here yet.
    for (const uid of dated.tunnels) if (states.get(uid) !== "releasing") now.add(uid);
    this.#byNode.set(node, { ...dated, tunnels: [...now].toSorted() });
    this.#captured.set(node, now);
    this.#capturedNow.set(node, new Set(named));
    return [...now, ...before].filter((uid) => now.has(uid) !== before.has(uid));
  }

  #remains(uid: string, state: CaptureState | undefined): boolean {
    return state === undefined ? this.#isEnrolled(uid) : state !== "releasing";
  }
}
