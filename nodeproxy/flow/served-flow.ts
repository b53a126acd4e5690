/**
 * A connection that an engine serves request by request, as `Connections` keeps it: who judges and carries the requests
 * is not asked here.
 */
import type { OpenConnection } from "../channel/messages.ts";
import type { ConnectionFacts, ConnectionOutcome } from "./connection-facts.ts";
import { type Cut, describeOpen } from "./describe-open.ts";

export interface Serving {
  /** From the caller, and to it. */
  readonly bytesSent: number;
  readonly bytesReceived: number;
  /** Takes no further request, and ends with those that run. */
  drain(): void;
  /** Abruptly. */
  end(): void;
  /** Ends what a peer has reset while nobody read it. */
  hearResets(): void;
}

export class ServedFlow {
  readonly id: number;
  readonly facts: ConnectionFacts;
  readonly idleTimeoutMs = 0;
  readonly #onEnded: (outcome: ConnectionOutcome) => void;
  #serving: Serving | undefined;
  #cut: Cut | undefined;
  #isEnded = false;

  constructor(id: number, facts: ConnectionFacts, onEnded: (outcome: ConnectionOutcome) => void) {
    this.id = id;
    this.facts = facts;
    this.#onEnded = onEnded;
  }

  start(serving: Serving): void {
    this.#serving = serving;
    if (this.#cut) serving.end();
  }

  cut(reason: Cut): void {
    this.#cut ??= reason;
    this.#serving?.end();
  }

  drain(): void {
    this.#serving?.drain();
  }

  hearResets(): void {
    this.#serving?.hearResets();
  }

  /** Told by whoever serves it. */
  end(): void {
    if (this.#isEnded) return;
    this.#isEnded = true;
    const { reason: code = "", policy, rule } = this.#cut ?? {};
    this.#onEnded({
      code,
      ...(policy === undefined ? {} : { policy }),
      ...(rule === undefined ? {} : { rule }),
      carried: true,
      ...this.#bytes(),
    });
  }

  describe(): OpenConnection {
    return describeOpen(this, this.#bytes());
  }

  #bytes(): Pick<OpenConnection, "bytesSent" | "bytesReceived"> {
    const { bytesSent = 0, bytesReceived = 0 } = this.#serving ?? {};
    return { bytesSent, bytesReceived };
  }
}
