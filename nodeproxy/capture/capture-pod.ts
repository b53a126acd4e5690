/**
 * The capture of one pod, from its enrolment to the last connection after its release.
 *
 *   finding → handed (listeners open, traffic told) → captured (leaf there, rules in)
 *                                                        → releasing → draining → closed
 *
 * Rules go in last and come out only when no caller uses the tunnel any more. A namespace without
 * processes is closed without touching its rules; under a living enrolment a new one is looked for.
 */
import type { Enrolment } from "../../core/model/enrolment.ts";
import type { CaptureReport, CaptureState } from "../../core/model/node-report.ts";
import type { Log } from "../../core/process/log.ts";
import type { KeptDescriptors, KeptPod } from "../channel/kept-descriptors.ts";
import type { ToTraffic } from "../channel/messages.ts";
import {
  type AppliedRules,
  applyRules,
  areRedirected,
  removeRules,
  stopRedirecting,
} from "./apply-rules.ts";
import { auditRules } from "./audit.ts";
import { candidateOfPath, type NamespaceCandidate, type ProcessScan } from "./find-namespace.ts";
import { inspectNamespace, runningConnections } from "./inspect-namespace.ts";
import {
  adoptSockets,
  closeSockets,
  descriptorsOf,
  openPod,
  type PodSockets,
  unansweredConnections,
} from "./pod-sockets.ts";
import { RulesError } from "./rules-error.ts";

export interface CaptureParts {
  readonly log: Log;
  readonly send: (message: ToTraffic, descriptors?: readonly number[]) => unknown;
  /** Whether the traffic process has been given a leaf for the pod's identity. */
  readonly hasLeaf: (uid: string) => boolean;
  readonly onState: (report: CaptureReport) => void;
  /** Absent where no keeper runs: then listeners end with this process. */
  readonly kept?: KeptDescriptors | undefined;
}

/** Twice what lies between two reports of open connections, and a bit: one opened just before the release is seen. */
const DRAIN_MS = 2500;
/** After a failure, which is seldom over at once. */
const RETRY_MS = 2000;

type Phase = "finding" | "handed" | "captured" | "releasing" | "draining" | "closed";

export class PodCapture {
  readonly uid: string;
  readonly #parts: CaptureParts;
  #enrolment: Enrolment | undefined;
  /** Of the last enrolment: a release outlives it. */
  #netnsPath = "";
  #phase: Phase = "finding";
  #sockets: PodSockets | undefined;
  #rules: AppliedRules | undefined;
  #older: ReadonlySet<string> = new Set();
  #isListening = false;
  #isSettled = false;
  #hasConnections = false;
  #drainedNotBeforeMs = 0;
  #retryAtMs = 0;
  #report: CaptureReport | undefined;
  #wasUnanswered = false;
  /** One step at a time, whoever asks. */
  #queue: Promise<void> = Promise.resolve();

  constructor(uid: string, parts: CaptureParts) {
    this.uid = uid;
    this.#parts = parts;
  }

  get phase(): Phase {
    return this.#phase;
  }

  get report(): CaptureReport | undefined {
    return this.#report;
  }

  /** Goes on with what the keeper held. A pod whose rules are in place stays captured for its callers meanwhile. */
  async adopt(kept: KeptPod): Promise<void> {
    this.#sockets = adoptSockets(kept);
    this.#phase = "handed";
    if (await areRedirected(this.#sockets.namespace, [4])) this.#tell("captured", "", "");
  }

  /** `undefined`: no longer enrolled. */
  enrol(enrolment: Enrolment | undefined): void {
    this.#enrolment = enrolment;
    this.#netnsPath = enrolment?.netnsPath ?? this.#netnsPath;
    if (!enrolment && this.#phase !== "draining" && this.#phase !== "closed") {
      this.#phase = this.#sockets ? "releasing" : "closed";
      // Nobody was told to use the tunnel, so nobody has to leave it.
      this.#isSettled = this.#report?.state !== "captured";
      if (this.#sockets) this.#tell("releasing", "", "");
    }
    if (enrolment && this.#phase === "releasing") this.#phase = "handed";
  }

  /** A traffic process asks for everything. */
  hand(): void {
    this.#isListening = false;
    if (!this.#sockets) return;
    const { families } = this.#sockets;
    this.#parts.send({ kind: "pod", uid: this.uid, families }, descriptorsOf(this.#sockets));
  }

  listening(): void {
    this.#isListening = true;
  }

  settle(): void {
    this.#isSettled = true;
  }

  connections(areOpen: boolean): void {
    this.#hasConnections = areOpen;
  }

  /** Goes as far as it can. Never throws: what goes wrong is reported and tried again by the next call. */
  async advance(scan: ProcessScan): Promise<void> {
    this.#queue = this.#queue.then(() => this.#attempt(() => this.#advance(scan)));
    return this.#queue;
  }

  /** Looks whether everything is still in place, repairs what is not. */
  async audit(scan: ProcessScan): Promise<void> {
    this.#queue = this.#queue.then(() => this.#attempt(() => this.#audit(scan)));
    return this.#queue;
  }

  /** Leaves rules and everything in the pod as it is: the keeper and the traffic process hold on to it. */
  async detach(): Promise<void> {
    await this.#queue;
    if (this.#sockets) closeSockets(this.#sockets);
    this.#sockets = undefined;
    this.#phase = "closed";
  }

  async #attempt(work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      const message = Error.isError(error) ? error.message : String(error);
      const reason = error instanceof RulesError ? "rules_failed" : "capture_failed";
      if (this.#report?.message !== message) {
        this.#parts.log.error({ err: error, uid: this.uid }, "capture failed");
      }
      this.#tell("failed", reason, message);
    }
  }

  async #advance(scan: ProcessScan): Promise<void> {
    if (this.#sockets && !this.#isInhabited(scan, this.#sockets)) this.#abandon();
    if (Date.now() >= this.#retryAtMs) {
      if (this.#phase === "finding") await this.#find(scan);
      if (this.#phase === "handed") await this.#redirect();
    }
    if (this.#phase === "releasing" && this.#isSettled) await this.#stop();
    if (this.#phase === "draining" && this.#isDrained()) await this.#finish();
  }

  async #find(scan: ProcessScan): Promise<void> {
    if (!this.#enrolment) return;
    const opened = await openPod(this.#enrolment, this.#candidates(this.#enrolment, scan));
    if (opened.kind !== "opened") {
      this.#tell(opened.kind, opened.reason, opened.message);
      return;
    }
    this.#sockets = opened.sockets;
    this.#phase = "handed";
    const { namespace, families } = opened.sockets;
    const descriptors = descriptorsOf(opened.sockets);
    this.#parts.kept?.keep({ uid: this.uid, inode: namespace.inode, families, descriptors });
    this.hand();
  }

  async #redirect(): Promise<void> {
    if (!this.#sockets) return;
    // A pod that was captured before this process started stays so for its callers.
    const isFirst = this.#report?.state !== "captured";
    if (!this.#isListening) {
      if (isFirst) this.#tell("pending", "listeners_not_ready", "waiting for the traffic process");
      return;
    }
    if (!this.#parts.hasLeaf(this.uid)) {
      if (isFirst) this.#tell("pending", "no_certificate", "waiting for the certificate");
      return;
    }
    const { namespace, families } = this.#sockets;
    const { families: required } = await inspectNamespace(namespace);
    if (isFirst && !this.#rules) this.#older = await runningConnections(namespace);
    this.#rules = await applyRules(namespace, { possible: families, required });
    // The enrolment may have gone meanwhile; `releasing` takes these rules out again.
    if (this.#phase !== "handed") return;
    this.#phase = "captured";
    this.#tell("captured", "", "");
    this.#parts.log.info({ uid: this.uid, outside: this.#older.size }, "pod captured");
  }

  async #audit(scan: ProcessScan): Promise<void> {
    await this.#advance(scan);
    if (this.#phase !== "captured" || !this.#sockets || !this.#rules) return;
    const { namespace, families } = this.#sockets;
    const outcome = await auditRules(namespace, this.#rules, families);
    this.#rules = outcome.rules;
    if (outcome.repaired.length > 0) {
      this.#parts.log.warn({ uid: this.uid, families: outcome.repaired }, "rules repaired");
    }
    const isUnanswered = unansweredConnections(this.#sockets) > 0;
    if (isUnanswered && this.#wasUnanswered) {
      this.#parts.log.error({ uid: this.uid }, "listeners do not answer");
    }
    this.#wasUnanswered = isUnanswered;
    if (this.#older.size > 0) {
      const running = await runningConnections(namespace);
      this.#older = new Set([...this.#older].filter((key) => running.has(key)));
    }
    this.#tell("captured", "", "");
  }

  async #stop(): Promise<void> {
    if (!this.#sockets) return;
    await stopRedirecting(this.#sockets.namespace, this.#sockets.families);
    this.#phase = "draining";
    this.#drainedNotBeforeMs = Date.now() + DRAIN_MS;
    this.#parts.log.info({ uid: this.uid }, "pod released");
  }

  async #finish(): Promise<void> {
    if (!this.#sockets) return;
    await removeRules(this.#sockets.namespace, this.#sockets.families);
    this.#abandon();
  }

  /** The rules of an empty namespace stay: it goes with its last descriptor. */
  #abandon(): void {
    if (!this.#sockets) return;
    this.#parts.send({ kind: "pod_closed", uid: this.uid });
    this.#parts.kept?.forget(this.uid, this.#sockets.namespace.inode);
    closeSockets(this.#sockets);
    this.#sockets = undefined;
    this.#rules = undefined;
    this.#isListening = false;
    this.#isSettled = false;
    this.#hasConnections = false;
    this.#report = undefined;
    this.#phase = this.#enrolment ? "finding" : "closed";
  }

  #isDrained(): boolean {
    return !this.#hasConnections && Date.now() >= this.#drainedNotBeforeMs;
  }

  #candidates(enrolment: Enrolment, scan: ProcessScan): readonly NamespaceCandidate[] {
    if (enrolment.netnsPath === "") return scan.candidates.get(this.uid) ?? [];
    const candidate = candidateOfPath(enrolment.netnsPath);
    return candidate ? [candidate] : [];
  }

  #isInhabited(scan: ProcessScan, { namespace }: PodSockets): boolean {
    if (scan.inhabited.has(namespace.inode)) return true;
    const path = this.#netnsPath;
    return path !== "" && candidateOfPath(path)?.inode === namespace.inode;
  }

  #tell(state: CaptureState, reason: string, message: string): void {
    const connectionsOutside = state === "captured" ? this.#older.size : 0;
    const report = { uid: this.uid, state, reason, message, connectionsOutside };
    this.#retryAtMs = state === "failed" ? Date.now() + RETRY_MS : 0;
    if (JSON.stringify(report) === JSON.stringify(this.#report)) return;
    this.#report = report;
    this.#parts.onState(report);
  }
}
