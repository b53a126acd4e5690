/** Tells the access log and the metrics of each connection; the one listener of `flow/connections.ts`. */
import type { ConnectionFacts, ConnectionOutcome } from "../flow/connection-facts.ts";
import type { ConnectionObserver } from "../flow/connections.ts";
import type { AccessLog } from "./access-log.ts";
import type { ConnectionMetrics } from "./connection-metrics.ts";

export class ConnectionTelemetry implements ConnectionObserver {
  readonly #metrics: ConnectionMetrics;
  readonly #accessLog: AccessLog;
  readonly #isLogged: () => boolean;

  constructor(metrics: ConnectionMetrics, accessLog: AccessLog, isLogged: () => boolean) {
    this.#metrics = metrics;
    this.#accessLog = accessLog;
    this.#isLogged = isLogged;
  }

  onConnectionOpened(facts: ConnectionFacts): void {
    this.#metrics.opened(facts);
  }

  onConnectionEnded(facts: ConnectionFacts, outcome: ConnectionOutcome): void {
    this.#metrics.ended(facts, outcome);
    if (this.#isLogged()) this.#accessLog.write(facts, outcome);
  }
}
