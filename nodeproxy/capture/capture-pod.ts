/**
 * The capture of one pod, from its enrolment to the last connection after its release.
 *
 *   finding → handed (listeners open, traffic told) → captured (leaf there, rules in)
 *                                                        → releasing → draining → closed
 *
 * Rules go in last and come out when no caller uses the tunnel any more; an empty namespace keeps its.
 */
import { NOTHING_EXCLUDED } from "../../core/model/capture-exclusions.ts";
import type { Enrolment } from "../../core/model/enrolment.ts";
import type { CaptureReport } from "../../core/model/node-report.ts";
import type { KeptPod } from "../channel/kept-descriptors.ts";
import {
  type AppliedRules,
  applyRules,
  isAnyRedirected,
  removeRules,
  stopRedirecting,
} from "./apply-rules.ts";
import { auditRules } from "./audit.ts";
import type { CaptureParts } from "./capture-parts.ts";
import { areSameExclusions, describeExclusions } from "./exclusions.ts";
import { candidatesOf, isInhabited, type ProcessScan } from "./find-namespace.ts";
import { inspectNamespace } from "./inspect-namespace.ts";
import { OlderConnections } from "./older-connections.ts";
import { PodReport } from "./pod-report.ts";
import {
  adoptSockets,
  areAnswered,
  closeSockets,
  descriptorsOf,
  keptPodOf,
  openPod,
  type PodSockets,
} from "./pod-sockets.ts";
import { Release } from "./release.ts";

type Phase = "finding" | "handed" | "captured" | "releasing" | "draining" | "closed";

export class PodCapture {
  readonly uid: string;
  readonly #parts: CaptureParts;
  #enrolment: Enrolment | undefined;
  #lastEnrolment: Enrolment | undefined;
  #phase: Phase = "finding";
  #sockets: PodSockets | undefined;
  #rules: AppliedRules | undefined;
  readonly #older = new OlderConnections();
  #isListening = false;
  /** Callers may have been told to use the tunnel, by this process or by one before. */
  #isTunnelled = false;
  readonly #release = new Release();
  readonly #report: PodReport;
  /** One step at a time, whoever asks. */
  #queue: Promise<void> = Promise.resolve();

  constructor(uid: string, parts: CaptureParts) {
    this.uid = uid;
    this.#parts = parts;
    this.#report = new PodReport(uid, parts);
  }

  get phase(): Phase {
    return this.#phase;
  }

  get report(): CaptureReport | undefined {
    return this.#report.current;
  }

  /** Goes on with what the keeper held. A pod whose rules are in place stays captured for its callers meanwhile. */
  async adopt(kept: KeptPod): Promise<void> {
    this.#sockets = adoptSockets(kept);
    this.#phase = "handed";
    // Until the rules have been looked at; the enrolment may go meanwhile.
    this.#isTunnelled = true;
    this.#release.settle(!(await this.#recognize(this.#sockets)));
  }

  /** `undefined`: no longer enrolled. */
  enrol(enrolment: Enrolment | undefined): void {
    this.#enrolment = enrolment;
    this.#lastEnrolment = enrolment ?? this.#lastEnrolment;
    if (enrolment) this.#goOn(enrolment);
    else if (["finding", "handed", "captured"].includes(this.#phase)) this.#leave();
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
    this.#release.settle();
  }

  connections(areOpen: boolean): void {
    this.#release.connections(areOpen);
  }

  /** Goes as far as it can. Never throws: what goes wrong is reported and tried again by the next call. */
  async advance(scan: ProcessScan): Promise<void> {
    return this.#attempt(() => this.#advance(scan));
  }

  /** Looks whether everything is still in place, repairs what is not. */
  async audit(scan: ProcessScan): Promise<void> {
    return this.#attempt(() => this.#audit(scan));
  }

  /** Leaves everything in the pod as it is. Gives what it held, whose descriptors are the caller's to close. */
  async detach(): Promise<KeptPod | undefined> {
    await this.#queue;
    const sockets = this.#sockets;
    this.#sockets = undefined;
    this.#phase = "closed";
    return sockets && keptPodOf(this.uid, sockets);
  }

  #goOn({ exclusions }: Enrolment): void {
    if (this.#phase === "releasing") this.#phase = this.#sockets ? "handed" : "finding";
    // The rules of before stay until the new ones replace them.
    const isOther = this.#rules && !areSameExclusions(this.#rules.exclusions, exclusions);
    if (this.#phase === "captured" && isOther) this.#phase = "handed";
  }

  #leave(): void {
    this.#phase = "releasing";
    this.#release.begin(this.#isTunnelled);
    if (this.#sockets) this.#report.tell("releasing");
  }

  async #attempt(work: () => Promise<void>): Promise<void> {
    this.#queue = this.#queue.then(work).catch((error: unknown) => {
      this.#report.fail(error);
      // A repair that failed is tried again soon, not only at the next audit.
      if (this.#phase === "captured") this.#phase = "handed";
    });
    return this.#queue;
  }

  async #advance(scan: ProcessScan): Promise<void> {
    if (!this.#isInhabited(scan)) this.#abandon();
    if (this.#report.mayTry(Date.now())) {
      if (this.#phase === "finding") await this.#find(scan);
      if (this.#phase === "handed") await this.#redirect();
    }
    if (this.#phase === "releasing" && !this.#sockets) await this.#findReleased(scan);
    const isReleasing = this.#phase === "releasing";
    if (isReleasing && this.#release.mayStop(() => this.#parts.hasTunnel(this.uid))) {
      await this.#stop();
    }
    if (this.#phase === "draining" && this.#release.isDrained()) await this.#finish();
  }

  async #find(scan: ProcessScan): Promise<void> {
    const enrolment = this.#enrolment;
    if (!enrolment) return;
    const opened = await openPod(enrolment, candidatesOf(enrolment, scan));
    if (opened.kind !== "opened") {
      this.#report.tell(opened.kind, opened);
      return;
    }
    this.#keep(opened.sockets);
    if (this.#phase === "finding") this.#phase = "handed";
    await this.#recognize(opened.sockets);
  }

  /**
   * The enrolment went before the namespace was found, maybe while no node proxy ran: then the rules of
   * the one before are still there, and lead nowhere.
   */
  async #findReleased(scan: ProcessScan): Promise<void> {
    const last = this.#lastEnrolment;
    const opened = last && (await openPod(last, candidatesOf(last, scan)));
    if (opened?.kind !== "opened") {
      this.#report.clear();
      this.#phase = "closed";
      return;
    }
    this.#keep(opened.sockets);
    if (await this.#recognize(opened.sockets)) this.#release.settle(false);
    else await this.#finish();
  }

  #keep(sockets: PodSockets): void {
    this.#sockets = sockets;
    this.#parts.kept?.keep(keptPodOf(this.uid, sockets));
    this.hand();
  }

  /** Rules that are in place before this process put any: its callers tunnel, and go on doing so. */
  async #recognize({ namespace, families }: PodSockets): Promise<boolean> {
    this.#isTunnelled = await isAnyRedirected(namespace, families);
    if (this.#isTunnelled && this.#phase === "releasing") this.#report.tell("releasing");
    else if (this.#isTunnelled) this.#tellCaptured();
    return this.#isTunnelled;
  }

  async #redirect(): Promise<void> {
    if (!this.#sockets) return;
    if (!this.#isListening) return this.#wait("listeners_not_ready", "the traffic process");
    if (!this.#parts.hasLeaf(this.uid)) return this.#wait("no_certificate", "the certificate");
    const { namespace, families } = this.#sockets;
    const { families: required } = await inspectNamespace(namespace);
    if (!this.#isTunnelled) await this.#older.begin(namespace);
    const { exclusions = NOTHING_EXCLUDED } = this.#enrolment ?? {};
    const kept = { possible: families, isCaptured: this.#isTunnelled };
    this.#rules = await applyRules(namespace, { ...kept, required, exclusions });
    // The enrolment may have gone meanwhile; `releasing` takes these rules out again.
    if (this.#phase !== "handed") return;
    this.#phase = "captured";
    this.#tellCaptured();
    this.#parts.log.info({ uid: this.uid, outside: this.#older.count }, "pod captured");
  }

  async #audit(scan: ProcessScan): Promise<void> {
    await this.#advance(scan);
    if (this.#phase !== "captured" || !this.#sockets || !this.#rules) return;
    const { namespace, families } = this.#sockets;
    const { rules, repaired } = await auditRules(namespace, this.#rules, families);
    this.#rules = rules;
    const { uid } = this;
    if (repaired.length > 0) this.#parts.log.warn({ uid, families: repaired }, "rules repaired");
    if (!(await areAnswered(this.#sockets))) {
      this.#handAnew();
      return;
    }
    await this.#older.refresh(namespace);
    this.#tellCaptured();
  }

  /** The rules stay: better nothing is answered than answered past policy. */
  #handAnew(): void {
    this.#parts.log.error({ uid: this.uid }, "listeners do not answer, handing them out anew");
    const message = "connections wait and nobody accepts them: the traffic process hangs";
    this.#report.tell("failed", { reason: "listeners_not_answering", message });
    this.#parts.send({ kind: "pod_closed", uid: this.uid });
    this.hand();
  }

  async #stop(): Promise<void> {
    if (!this.#sockets) return;
    await stopRedirecting(this.#sockets.namespace, this.#sockets.families);
    this.#phase = "draining";
    const message = "redirects nothing any more; open connections go on";
    this.#report.tell("releasing", { reason: "draining", message });
    this.#release.stopped();
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
    this.#isTunnelled = false;
    this.#release.reset();
    this.#report.clear();
    this.#phase = this.#enrolment ? "finding" : "closed";
  }

  #isInhabited(scan: ProcessScan): boolean {
    const inode = this.#sockets?.namespace.inode;
    const netnsPath = this.#lastEnrolment?.netnsPath ?? "";
    return inode === undefined || isInhabited({ inode, netnsPath }, scan);
  }

  #wait(reason: string, missing: string): void {
    // A pod that was captured before stays so for its callers.
    if (this.#isTunnelled) return;
    this.#report.tell("pending", { reason, message: `waiting for ${missing}` });
  }

  #tellCaptured(): void {
    this.#isTunnelled = true;
    const message = describeExclusions(this.#enrolment?.exclusions);
    this.#report.tell("captured", { connectionsOutside: this.#older.count, message });
  }
}
