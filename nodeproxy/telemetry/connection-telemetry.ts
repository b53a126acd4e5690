/** Tells the access log and the metrics of each connection; the one listener of `flow/connections.ts`. */
import type { ConnectionFacts, ConnectionOutcome } from "../flow/connection-facts.ts";
import type { ConnectionObserver } from "../flow/connections.ts";
import type { AccessLog } from "./access-log.ts";
import type { ConnectionMetrics } from "./connection-metrics.ts";

/** Keeps denials for `weftctl why`. */
interface Denials {
  /** The id of a denial; `undefined` for any other end. */
  note(facts: ConnectionFacts, outcome: ConnectionOutcome): string | undefined;
}

/** Makes spans of requests. */
interface Spans {
  /** Of a request that has one begun. */
  ended(facts: ConnectionFacts, outcome: ConnectionOutcome): void;
}

interface TelemetryParts {
  readonly metrics: ConnectionMetrics;
  readonly accessLog: AccessLog;
  readonly isLogged: () => boolean;
  readonly denials: Denials;
  /** `undefined` while there is no tracing. */
  readonly tracer: () => Spans | undefined;
}

export class ConnectionTelemetry implements ConnectionObserver {
  readonly #parts: TelemetryParts;

  constructor(parts: TelemetryParts) {
    this.#parts = parts;
  }

  onConnectionOpened(facts: ConnectionFacts): void {
    this.#parts.metrics.opened(facts);
  }

  onConnectionEnded(facts: ConnectionFacts, outcome: ConnectionOutcome): void {
    const { metrics } = this.#parts;
    metrics.ended(facts, outcome);
    this.#log(facts, outcome);
  }

  onRequestEnded(facts: ConnectionFacts, outcome: ConnectionOutcome): void {
    this.#parts.metrics.requested(facts, outcome);
    if (facts.request?.trace) this.#parts.tracer()?.ended(facts, outcome);
    this.#log(facts, outcome);
  }

  #log(facts: ConnectionFacts, outcome: ConnectionOutcome): void {
    const { accessLog, isLogged, denials } = this.#parts;
    if (!isLogged()) return;
    const denial = outcome.code === "" ? undefined : denials.note(facts, outcome);
    accessLog.write(facts, denial === undefined ? outcome : { ...outcome, denial });
  }
}
