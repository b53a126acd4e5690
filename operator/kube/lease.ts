/**
 * Which replica is the leader: a Lease of coordination.k8s.io, written with resourceVersion as
 * precondition, so that of two writers one always loses.
 *
 * The holder renews every 2 s and gives up by its own clock well before another may take the Lease
 * (10 s after it saw the last renewal, at most 12 s after that was made), so there are never two. What only a leader may do
 * runs under the term's AbortSignal, which aborts at the moment of loss.
 */
import { hostname } from "node:os";
import { type KubeApi, kubePath } from "../../core/kube/kube-api.ts";
import { KubeError } from "../../core/kube/kube-error.ts";
import type { Log } from "../../core/process/log.ts";

export interface LeaseTiming {
  readonly renewMs: number;
  /** Without a successful renewal for so long the holder steps down. Less than `durationMs`. */
  readonly stepDownMs: number;
  /** Others wait so long after the last change they saw. A whole number of seconds. */
  readonly durationMs: number;
}

const TIMING: LeaseTiming = { renewMs: 2000, stepDownMs: 7000, durationMs: 10_000 };

export interface LeaseOptions {
  readonly api: KubeApi;
  readonly namespace: string;
  readonly name: string;
  /** Name of this replica; a suffix makes it unique to this process. */
  readonly holder: string;
  readonly log: Log;
  readonly onElected: (term: AbortSignal) => void;
  readonly timing?: LeaseTiming;
}

interface LeaseObject {
  readonly metadata: { readonly resourceVersion?: string };
  readonly spec?: LeaseSpec;
}

interface LeaseSpec {
  readonly holderIdentity?: string;
  readonly leaseDurationSeconds?: number;
  readonly acquireTime?: string;
  readonly renewTime?: string;
  readonly leaseTransitions?: number;
}

export class LeaderElection {
  readonly #options: LeaseOptions;
  readonly #timing: LeaseTiming;
  readonly #holder: string;
  /** The record last seen, and when by our own clock: other machines' clocks are not trusted. */
  #seen = { record: "", atMs: 0 };
  #term: AbortController | undefined;
  /** Start of the last renewal that succeeded, monotonic. */
  #renewedMs = 0;
  #timer: NodeJS.Timeout | undefined;
  #stepDown: NodeJS.Timeout | undefined;
  #turn: Promise<void> = Promise.resolve();
  #isClosed = false;
  /** Until the next turn: a Lease of another is looked at again at the moment when it ends. */
  #pauseMs = 0;

  constructor(options: LeaseOptions) {
    this.#options = options;
    this.#timing = options.timing ?? TIMING;
    this.#holder = `${options.holder}_${hostname()}_${process.pid}`;
  }

  start(): void {
    this.#turn = this.#takeTurn();
  }

  /** By the clock too: a process that was stopped for a while must not act on what it last knew. */
  isLeader(): boolean {
    return (
      this.#term !== undefined && performance.now() - this.#renewedMs < this.#timing.stepDownMs
    );
  }

  /** Ends the term and gives the Lease back, so that another replica need not wait. */
  async close(): Promise<void> {
    this.#isClosed = true;
    clearTimeout(this.#timer);
    await this.#turn;
    const wasLeader = this.#term !== undefined;
    this.#endTerm("closed");
    if (wasLeader) await this.#release();
  }

  async #takeTurn(): Promise<void> {
    this.#pauseMs = this.#timing.renewMs;
    try {
      await this.#tryToHold();
    } catch (error) {
      this.#options.log.warn({ err: error }, "lease not renewed");
    }
    if (this.#isClosed) return;
    this.#timer = setTimeout(() => this.start(), this.#pauseMs);
  }

  async #tryToHold(): Promise<void> {
    const lease = await this.#read();
    const holder = lease?.spec?.holderIdentity ?? "";
    if (holder !== this.#holder && holder !== "" && !this.#hasExpired(lease)) {
      this.#endTerm("held by another");
      return;
    }
    if (this.#isClosed) return;
    const startedMs = performance.now();
    const isHeld = await this.#write(lease);
    if (!isHeld) {
      this.#endTerm("taken by another");
      return;
    }
    this.#renewedMs = startedMs;
    clearTimeout(this.#stepDown);
    const leftMs = this.#timing.stepDownMs - (performance.now() - startedMs);
    this.#stepDown = setTimeout(() => this.#endTerm("not renewed in time"), leftMs);
    this.#beginTerm();
  }

  /** Whether the record has stood unchanged for its whole duration, measured by our own clock. */
  #hasExpired(lease: LeaseObject | undefined): boolean {
    const record = JSON.stringify(lease?.spec ?? {});
    const now = performance.now();
    if (record !== this.#seen.record) this.#seen = { record, atMs: now };
    const durationMs = (lease?.spec?.leaseDurationSeconds ?? 0) * 1000;
    const leftMs = this.#seen.atMs + durationMs - now;
    // A timer may fire a moment early.
    if (leftMs >= 0) this.#pauseMs = Math.min(this.#timing.renewMs, leftMs + 5);
    return leftMs < 0;
  }

  async #read(): Promise<LeaseObject | undefined> {
    try {
      return (await this.#call("GET", this.#path())) as LeaseObject;
    } catch (error) {
      if (error instanceof KubeError && error.reason === "not_found") return undefined;
      throw error;
    }
  }

  /** False where another wrote first. */
  async #write(lease: LeaseObject | undefined): Promise<boolean> {
    const { namespace, name } = this.#options;
    const body = {
      apiVersion: "coordination.k8s.io/v1",
      kind: "Lease",
      metadata: { ...lease?.metadata, namespace, name },
      spec: heldSpec(lease?.spec, { holder: this.#holder, durationMs: this.#timing.durationMs }),
    };
    try {
      if (lease) await this.#call("PUT", this.#path(), body);
      else await this.#call("POST", leasesPath(namespace), body);
      return true;
    } catch (error) {
      if (error instanceof KubeError && isLostRace(error.reason)) return false;
      throw error;
    }
  }

  async #release(): Promise<void> {
    try {
      const lease = await this.#read();
      if (lease?.spec?.holderIdentity !== this.#holder) return;
      const spec = { ...lease.spec, holderIdentity: "", leaseDurationSeconds: 1 };
      await this.#call("PUT", this.#path(), {
        apiVersion: "coordination.k8s.io/v1",
        kind: "Lease",
        ...lease,
        spec,
      });
    } catch (error) {
      this.#options.log.warn({ err: error }, "lease not given back");
    }
  }

  #beginTerm(): void {
    if (this.#term) return;
    this.#term = new AbortController();
    this.#options.log.info({ holder: this.#holder }, "became leader");
    this.#options.onElected(this.#term.signal);
  }

  #endTerm(reason: string): void {
    clearTimeout(this.#stepDown);
    if (!this.#term) return;
    this.#options.log.info({ holder: this.#holder, reason }, "leadership ended");
    this.#term.abort();
    this.#term = undefined;
  }

  #call(method: "GET" | "PUT" | "POST", path: string, body?: unknown): Promise<unknown> {
    // A call that hangs must not outlive the time in which the holder has to step down.
    const timeoutMs = Math.floor(this.#timing.stepDownMs / 3);
    return this.#options.api.call({ method, path, body, timeoutMs });
  }

  #path(): string {
    const { namespace, name } = this.#options;
    return `${leasesPath(namespace)}${kubePath(name)}`;
  }
}

/** The spec that `holder` writes to renew its Lease, or to take one that is free. */
function heldSpec(
  before: LeaseSpec | undefined,
  { holder, durationMs }: { readonly holder: string; readonly durationMs: number },
): LeaseSpec {
  const now = microTime();
  const held = { holderIdentity: holder, leaseDurationSeconds: Math.ceil(durationMs / 1000) };
  if (before?.holderIdentity === holder) return { ...before, ...held, renewTime: now };
  const leaseTransitions = before ? (before.leaseTransitions ?? 0) + 1 : 0;
  return { ...held, acquireTime: now, renewTime: now, leaseTransitions };
}

function leasesPath(namespace: string): string {
  return kubePath("apis", "coordination.k8s.io", "v1", "namespaces", namespace, "leases");
}

function isLostRace(reason: KubeError["reason"]): boolean {
  return reason === "conflict" || reason === "already_exists" || reason === "not_found";
}

/** metav1.MicroTime: exactly six digits of a second. */
function microTime(): string {
  return new Date().toISOString().replace(/Z$/, "000Z");
}
