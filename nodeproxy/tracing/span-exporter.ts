/**
 * Sends the spans that have ended, in batches, one at a time, and waits where the collector does not take them. Holds a
 * bounded number: what comes beyond is lost and counted, and nobody waits for a place.
 *
 * OTLP 1.x: what may be sent again is, with waits that grow and that the collector may name; what is refused is not.
 */
import type { ResourceSpans } from "./otlp-writer.ts";

/** What became of spans; `SpanMetrics` counts them. */
export type SpanFate = "exported" | "queue_full" | "rejected" | "given_up";

export type Posted =
  /** `rejected`: so many of them it did not want. */
  | { readonly kind: "taken"; readonly rejected: number }
  | { readonly kind: "refused"; readonly reason: string }
  /** `afterMs`: not before; 0: it does not say. */
  | { readonly kind: "later"; readonly reason: string; readonly afterMs: number };

/** Of the workload whose span it is. */
export interface SpanOwner {
  /** The same for all of its spans. */
  readonly key: string;
  /** As OTLP writes it; asked once for each batch. */
  readonly resource: () => Uint8Array;
}

export interface SpanExporterOptions {
  readonly post: (batch: readonly ResourceSpans[]) => Promise<Posted>;
  readonly count: (fate: SpanFate, spans: number) => void;
  /** The collector stopped taking spans, or takes them again. */
  readonly onChanged: (reason: string | undefined) => void;
  /** In [0, 1). */
  readonly draw: () => number;
  /** Milliseconds that never go back. */
  readonly now: () => number;
}

export const MAX_SPANS = 4_096;
export const BATCH_SPANS = 512;
/** After the first span of a batch that is not full. */
const GATHER_MS = 1_000;
const FIRST_WAIT_MS = 1_000;
const MAX_WAIT_MS = 30_000;
/** From the first try of a batch: as long as the Collector itself tries by default. */
const GIVE_UP_MS = 300_000;

interface Queued {
  readonly owner: SpanOwner;
  readonly span: Uint8Array;
}

interface Batch {
  readonly spans: readonly ResourceSpans[];
  readonly count: number;
  readonly sinceMs: number;
}

export class SpanExporter {
  readonly #options: SpanExporterOptions;
  #queue: Queued[] = [];
  /** Sent, and not yet taken. */
  #batch: Batch | undefined;
  #timer: NodeJS.Timeout | undefined;
  #isPosting = false;
  /** As long as the collector, or our own patience, said. */
  #isHeld = false;
  #failures = 0;
  #isClosed = false;
  readonly #flushed: (() => void)[] = [];

  constructor(options: SpanExporterOptions) {
    this.#options = options;
  }

  add(owner: SpanOwner, span: Uint8Array): void {
    if (this.#isClosed) return;
    if (this.#queue.length + (this.#batch?.count ?? 0) >= MAX_SPANS) {
      this.#options.count("queue_full", 1);
      return;
    }
    this.#queue.push({ owner, span });
    if (this.#batch || this.#isHeld) return;
    if (this.#queue.length === BATCH_SPANS) this.#wake(0);
    else if (this.#queue.length === 1) this.#wake(GATHER_MS);
  }

  /** Sends what it has now. Resolves once all of it is taken, or something of it is not. */
  async flush(): Promise<void> {
    if (this.#queue.length === 0 && !this.#batch) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#flushed.push(resolve);
    if (!this.#isPosting) this.#wake(0);
    await promise;
  }

  /** What waits is lost. */
  close(): void {
    this.#isClosed = true;
    clearTimeout(this.#timer);
    this.#queue = [];
    this.#tellFlushed();
  }

  #wake(afterMs: number): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => void this.#send(), afterMs).unref();
  }

  async #send(): Promise<void> {
    if (this.#isPosting || this.#isClosed) return;
    this.#isHeld = false;
    const batch = this.#batch ?? this.#nextBatch();
    if (!batch) {
      this.#tellFlushed();
      return;
    }
    this.#batch = batch;
    this.#isPosting = true;
    const posted = await this.#options.post(batch.spans);
    this.#isPosting = false;
    this.#settle(batch, posted);
  }

  #settle(batch: Batch, posted: Posted): void {
    if (this.#isClosed) return;
    switch (posted.kind) {
      case "taken": {
        const rejected = Math.min(posted.rejected, batch.count);
        this.#count("exported", batch.count - rejected);
        this.#count("rejected", rejected);
        this.#hasAnswered(undefined);
        break;
      }
      case "refused":
        this.#count("rejected", batch.count);
        this.#hasAnswered(posted.reason);
        break;
      case "later":
        if (this.#failures === 0) this.#options.onChanged(posted.reason);
        this.#failures += 1;
        this.#tellFlushed();
        if (this.#options.now() - batch.sinceMs >= GIVE_UP_MS) {
          this.#count("given_up", batch.count);
          this.#batch = undefined;
        }
        this.#isHeld = true;
        this.#wake(this.#waitMs(posted.afterMs));
        return;
    }
    this.#batch = undefined;
    const isMore = this.#queue.length >= BATCH_SPANS || this.#flushed.length > 0;
    if (isMore) this.#wake(0);
    else if (this.#queue.length > 0) this.#wake(GATHER_MS);
  }

  /** `reason`: why not. */
  #hasAnswered(reason: string | undefined): void {
    const wasFailing = this.#failures > 0;
    this.#failures = reason === undefined ? 0 : 1;
    if (wasFailing !== (reason !== undefined)) this.#options.onChanged(reason);
  }

  /** Doubling, and by chance up to half less: those who failed together do not come back together. */
  #waitMs(askedMs: number): number {
    const most = Math.min(FIRST_WAIT_MS * 2 ** (this.#failures - 1), MAX_WAIT_MS);
    return Math.max(askedMs, Math.round(most * (1 - this.#options.draw() / 2)));
  }

  #nextBatch(): Batch | undefined {
    const taken = this.#queue.splice(0, BATCH_SPANS);
    if (taken.length === 0) return undefined;
    const byOwner = new Map<string, { owner: SpanOwner; spans: Uint8Array[] }>();
    for (const { owner, span } of taken) {
      const known = byOwner.get(owner.key);
      if (known) known.spans.push(span);
      else byOwner.set(owner.key, { owner, spans: [span] });
    }
    const spans = Array.from(byOwner.values(), ({ owner, spans: own }) => ({
      resource: owner.resource(),
      spans: own,
    }));
    return { spans, count: taken.length, sinceMs: this.#options.now() };
  }

  #count(fate: SpanFate, spans: number): void {
    if (spans > 0) this.#options.count(fate, spans);
  }

  #tellFlushed(): void {
    for (const resolve of this.#flushed.splice(0)) resolve();
  }
}
