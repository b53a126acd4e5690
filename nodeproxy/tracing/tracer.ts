/**
 * Begins a span for each request of a sampled trace, at the caller's hop and at the called one, and hands it on, written
 * for OTLP, once the request has ended. Never waits for anything, never looks at a body.
 */
import type { TracingSettings } from "../../core/model/mesh-settings.ts";
import type { ConnectionFacts, ConnectionOutcome } from "../flow/connection-facts.ts";
import type { RequestTrace } from "../flow/request-trace.ts";
import type { RequestHead } from "../http/message.ts";
import type { RequestTracer } from "../http/request-tracer.ts";
import { EpochClock } from "./epoch-clock.ts";
import { isSampled } from "./is-sampled.ts";
import { randomId } from "./random-id.ts";
import { spanBytes } from "./request-span.ts";
import { type CallerContext, readContext, withContext } from "./trace-context.ts";
import { RANDOM, SAMPLED } from "./traceparent.ts";

export interface TracerOptions {
  /** Of now. */
  readonly settings: () => Pick<TracingSettings, "partsPerMillion">;
  /** A span that has ended, and whose it is. */
  readonly ended: (facts: ConnectionFacts, span: Uint8Array) => void;
  /** So many octets in hexadecimal digits. */
  readonly newId?: (octets: number) => string;
  readonly clock?: EpochClock;
}

export class Tracer implements RequestTracer {
  readonly #options: TracerOptions;
  readonly #newId: (octets: number) => string;
  readonly #clock: EpochClock;

  constructor(options: TracerOptions) {
    this.#options = options;
    this.#newId = options.newId ?? randomId;
    this.#clock = options.clock ?? new EpochClock();
  }

  begin(head: RequestHead): RequestHead {
    const caller = readContext(head.fields);
    // Nobody wants to know: it goes on as it came.
    if (caller.isSampled === false) return head;
    const isNew = caller.traceId === "";
    const traceId = isNew ? this.#newId(16) : caller.traceId;
    const spanId = this.#newId(8);
    const isWanted = caller.isSampled ?? this.#isSampled(traceId);
    const flags = (isNew ? RANDOM : caller.flags & RANDOM) | (isWanted ? SAMPLED : 0);
    const fields = withContext(head.fields, caller, { traceId, spanId, flags });
    if (!isWanted) return { ...head, fields };
    return {
      ...head,
      fields,
      trace: this.#trace({ traceId, spanId, flags, version: head.version }, caller),
    };
  }

  /** `facts.request.trace` is there. */
  ended(facts: ConnectionFacts, outcome: ConnectionOutcome): void {
    const span = spanBytes(facts, outcome, this.#clock.now());
    if (span) this.#options.ended(facts, span);
  }

  #isSampled(traceId: string): boolean {
    return isSampled(traceId, this.#options.settings().partsPerMillion);
  }

  #trace(
    ids: Pick<RequestTrace, "traceId" | "spanId" | "flags" | "version">,
    { parentId, state }: CallerContext,
  ): RequestTrace {
    return { ...ids, parentId, state, beganMs: this.#clock.now() };
  }
}
