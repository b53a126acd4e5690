/**
 * Keeps one identity's leaf fresh as long as a workload of this node needs it: asks, checks, serves,
 * renews at half life, follows a change of issuer, tries again on failure, and serves the old one until it ends.
 *
 * The leaf's times are wall-clock times, so a timer never sleeps longer than `LOOK_MS`: a clock that
 * jumps or a machine that slept is noticed at the next look. Waits are of the clock that never jumps.
 */
import { generateKeyPairSync } from "node:crypto";
import { formatSpiffeId, type SpiffeId } from "../../core/model/spiffe-id.ts";
import { backoffDelayMs } from "../../core/process/backoff.ts";
import { createCsr } from "../../core/x509/create-csr.ts";
import type { CertificatesOptions } from "./certificates.ts";
import { type HeldLeaf, holdIssued } from "./held-leaf.ts";
import { IssuerFollower } from "./issuer-follower.ts";

const LOOK_MS = 30_000;
const ATTEMPT_MS = 15_000;
const BACKOFF = { minMs: 250, maxMs: 15_000 };

export class LeafKeeper {
  readonly #options: CertificatesOptions;
  readonly #identity: SpiffeId;
  readonly #uri: string;
  /** UIDs, the one to ask for next first. */
  readonly #workloads = new Set<string>();
  readonly #closed = new AbortController();
  readonly #follower: IssuerFollower;
  #leaf: HeldLeaf | undefined;
  #timer: NodeJS.Timeout | undefined;
  #isAsking = false;
  /** The leaf served is not good enough: no waiting for its half life. */
  #isUrgent = false;
  #failures = 0;
  /** On the clock of `performance.now()`. */
  #backoffUntilMs = 0;
  /** By the operator's wish; nothing is asked for before. */
  #pushedBackUntilMs = 0;

  constructor(identity: SpiffeId, options: CertificatesOptions) {
    this.#identity = identity;
    this.#uri = formatSpiffeId(identity);
    this.#options = options;
    this.#follower = new IssuerFollower(options.random);
  }

  add(workload: string): void {
    this.#workloads.add(workload);
  }

  /** False once no workload is left. */
  remove(workload: string): boolean {
    this.#workloads.delete(workload);
    return this.#workloads.size > 0;
  }

  leaf(): HeldLeaf | undefined {
    return this.#leaf;
  }

  /** With a leaf from the snapshot, or without one. */
  start(restored: HeldLeaf | undefined): void {
    if (restored) this.#serve(restored);
    this.look();
  }

  /**
   * Asks for a new leaf at once, and until it is there: the one served is not good enough any more. First in the
   * name of that workload, if one is given.
   */
  renew(workload?: string): void {
    if (workload !== undefined) this.#askFirst(workload);
    this.#isUrgent = true;
    this.#backoffUntilMs = 0;
    this.look();
  }

  /** What is to be done now? Also after a change of bundles: another certificate may sign leaves from now on. */
  look(): void {
    if (this.#isAsking || this.#closed.signal.aborted) return;
    const now = this.#options.now();
    if (this.#leaf && now >= this.#leaf.notAfterMs) {
      this.#leaf = undefined;
      this.#options.log.error({ identity: this.#uri }, "certificate ended before it was renewed");
      this.#options.onDropped(this.#uri);
    }
    const waitMs = Math.max(this.#dueInMs(now), this.#barredForMs());
    if (waitMs > 0) this.#sleep(waitMs, now);
    else void this.#ask();
  }

  close(): void {
    clearTimeout(this.#timer);
    this.#closed.abort();
    if (this.#leaf) this.#options.onDropped(this.#uri);
    this.#leaf = undefined;
  }

  toJSON(): string {
    return "[redacted]";
  }

  #askFirst(workload: string): void {
    const others = [...this.#workloads].filter((other) => other !== workload);
    this.#workloads.clear();
    for (const each of [workload, ...others]) this.#workloads.add(each);
  }

  #dueInMs(now: number): number {
    if (!this.#leaf || this.#isUrgent) return 0;
    const followInMs = this.#follower.dueInMs(this.#leaf.issuer, this.#wantedIssuer());
    return Math.min(this.#leaf.renewAtMs - now, followInMs);
  }

  #barredForMs(): number {
    return Math.max(this.#backoffUntilMs, this.#pushedBackUntilMs) - performance.now();
  }

  #wantedIssuer(): string {
    const { trustDomain } = this.#identity;
    return this.#options.bundles().find((own) => own.trustDomain === trustDomain)?.issuer ?? "";
  }

  /** Until the leaf ends at the latest, so that its end is told in time. */
  #sleep(ms: number, now: number): void {
    clearTimeout(this.#timer);
    const leftMs = (this.#leaf?.notAfterMs ?? Infinity) - now;
    this.#timer = setTimeout(() => this.look(), Math.min(ms, leftMs, LOOK_MS));
  }

  async #ask(): Promise<void> {
    clearTimeout(this.#timer);
    this.#isAsking = true;
    const [workload = ""] = this.#workloads;
    try {
      const reason = await this.#attempt(workload);
      if (reason === undefined) this.#succeeded();
      else this.#failed(workload, { reason });
    } catch (error) {
      const { message } = Error.isError(error) ? error : { message: String(error) };
      this.#pushBack(pushbackOf(error));
      this.#failed(workload, { reason: reasonOf(error), error: message });
    } finally {
      this.#isAsking = false;
    }
    this.look();
  }

  /** `undefined` once the new leaf is served, else why not. */
  async #attempt(workload: string): Promise<string | undefined> {
    const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
    const timeout = new AbortController();
    const timer = setTimeout(() => timeout.abort(), ATTEMPT_MS);
    const signal = AbortSignal.any([this.#closed.signal, timeout.signal]);
    try {
      const chain = await this.#options.certify(workload, createCsr(privateKey), signal);
      if (this.#closed.signal.aborted) return undefined;
      const { bundles, now, random } = this.#options;
      const expectation = { uri: this.#uri, key: privateKey, bundles: bundles(), now: now() };
      const result = holdIssued(chain, { ...expectation, identity: this.#identity }, random());
      if (result.kind === "refused") return result.reason;
      if (this.#isStepBack(result.leaf)) return "issued_by_older_issuer";
      this.#serve(result.leaf);
      return undefined;
    } finally {
      clearTimeout(timer);
    }
  }

  /** From a replica that lags behind, while what is served has time left: tunnels would go there and back. */
  #isStepBack(next: HeldLeaf): boolean {
    const held = this.#leaf;
    if (!held || held.issuer !== this.#wantedIssuer() || next.issuer === held.issuer) return false;
    const spareMs = (held.notAfterMs - held.renewAtMs) / 2;
    return !this.#isUrgent && this.#options.now() < held.notAfterMs - spareMs;
  }

  #serve(leaf: HeldLeaf): void {
    this.#leaf = leaf;
    this.#options.onLeaf(leaf.served());
  }

  #succeeded(): void {
    this.#failures = 0;
    this.#backoffUntilMs = 0;
    this.#isUrgent = false;
    if (this.#leaf) this.#follower.answered(this.#leaf.issuer, this.#wantedIssuer());
  }

  #failed(workload: string, facts: { readonly reason: string; readonly error?: string }): void {
    if (this.#closed.signal.aborted) return;
    const delayMs = backoffDelayMs(BACKOFF, this.#failures, this.#options.random());
    this.#backoffUntilMs = performance.now() + delayMs;
    this.#failures += 1;
    this.#options.log.warn({ identity: this.#uri, workload, ...facts }, "certificate not renewed");
    // The pod may have ended while others of its account live on: the next attempt asks for another.
    if (this.#workloads.delete(workload)) this.#workloads.add(workload);
  }

  /** At least so long, and up to half as long again: all nodes are told the same. */
  #pushBack(pushbackMs: number): void {
    const delayMs = pushbackMs * (1 + this.#options.random() / 2);
    this.#pushedBackUntilMs = performance.now() + delayMs;
  }
}

/** `reason` of our own error classes; a foreign error keeps its text in `error`. */
function reasonOf(error: unknown): string {
  const has = typeof error === "object" && error !== null && "reason" in error;
  return has && typeof error.reason === "string" ? error.reason : "certify_failed";
}

/** Milliseconds; 0 where the operator asks for no pause. */
function pushbackOf(error: unknown): number {
  const has = typeof error === "object" && error !== null && "retryAfterMs" in error;
  return has && typeof error.retryAfterMs === "number" ? error.retryAfterMs : 0;
}
