/**
 * Keeps one identity's leaf fresh as long as a workload of this node needs it: asks, checks, serves,
 * renews at half life, tries again on failure, and serves the old one until it ends.
 *
 * The leaf's times are wall-clock times, so a timer never sleeps longer than `LOOK_MS`: a clock that
 * jumps or a machine that slept is noticed at the next look.
 */
import { generateKeyPairSync } from "node:crypto";
import { formatSpiffeId, type SpiffeId } from "../../core/model/spiffe-id.ts";
import { backoffDelayMs } from "../../core/process/backoff.ts";
import { createCsr } from "../../core/x509/create-csr.ts";
import type { CertificatesOptions } from "./certificates.ts";
import { type HeldLeaf, holdIssued } from "./held-leaf.ts";

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
  #leaf: HeldLeaf | undefined;
  #timer: NodeJS.Timeout | undefined;
  #isAsking = false;
  #failures = 0;

  constructor(identity: SpiffeId, options: CertificatesOptions) {
    this.#identity = identity;
    this.#uri = formatSpiffeId(identity);
    this.#options = options;
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
    this.#look();
  }

  /** Asks for a new leaf at once: the one served does not lead to the roots any more. */
  renew(): void {
    void this.#ask();
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

  #look(): void {
    const now = this.#options.now();
    if (this.#leaf && now >= this.#leaf.notAfterMs) {
      this.#leaf = undefined;
      this.#options.log.error({ identity: this.#uri }, "certificate ended before it was renewed");
      this.#options.onDropped(this.#uri);
    }
    if (this.#leaf && now < this.#leaf.renewAtMs) this.#sleep(this.#leaf.renewAtMs - now);
    else void this.#ask();
  }

  #sleep(ms: number): void {
    clearTimeout(this.#timer);
    if (this.#closed.signal.aborted) return;
    this.#timer = setTimeout(() => this.#look(), Math.min(ms, LOOK_MS));
  }

  async #ask(): Promise<void> {
    if (this.#isAsking || this.#closed.signal.aborted) return;
    this.#isAsking = true;
    const [workload = ""] = this.#workloads;
    try {
      const reason = await this.#attempt(workload);
      if (reason !== undefined) this.#fail(workload, { reason });
      else this.#failures = 0;
    } catch (error) {
      const { message } = Error.isError(error) ? error : { message: String(error) };
      this.#fail(workload, { reason: reasonOf(error), error: message });
    } finally {
      this.#isAsking = false;
    }
    if (this.#failures === 0) this.#look();
    else this.#sleep(this.#retryDelayMs());
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
      const result = holdIssued(
        chain,
        {
          identity: this.#identity,
          uri: this.#uri,
          key: privateKey,
          bundles: bundles(),
          now: now(),
        },
        random(),
      );
      if (result.kind === "refused") return result.reason;
      this.#serve(result.leaf);
      return undefined;
    } finally {
      clearTimeout(timer);
    }
  }

  #serve(leaf: HeldLeaf): void {
    this.#leaf = leaf;
    this.#options.onLeaf(leaf.served());
  }

  #fail(workload: string, facts: { readonly reason: string; readonly error?: string }): void {
    if (this.#closed.signal.aborted) return;
    this.#failures += 1;
    this.#options.log.warn({ identity: this.#uri, workload, ...facts }, "certificate not renewed");
    // The pod may have ended while others of its account live on: the next attempt asks for another.
    if (this.#workloads.delete(workload)) this.#workloads.add(workload);
  }

  /** Until the leaf ends at the latest, so that its end is told in time. */
  #retryDelayMs(): number {
    const { now, random } = this.#options;
    const delay = backoffDelayMs(BACKOFF, this.#failures - 1, random());
    const left = this.#leaf ? Math.max(0, this.#leaf.notAfterMs - now()) : delay;
    return Math.min(delay, left);
  }
}

/** `reason` of our own error classes; a foreign error keeps its text in `error`. */
function reasonOf(error: unknown): string {
  const has = typeof error === "object" && error !== null && "reason" in error;
  return has && typeof error.reason === "string" ? error.reason : "certify_failed";
}
