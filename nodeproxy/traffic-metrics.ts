/**
 * Asks the traffic process for its metrics over the line, for the page that control serves. A process
 * that is away, hangs or was replaced meanwhile costs its part of the page, never the page.
 */
import type { FromTraffic, ToTraffic } from "./channel/messages.ts";

/** Prometheus gives a scrape 10 s by default. */
const ANSWER_WITHIN_MS = 2_000;

export class TrafficMetrics {
  readonly #send: (message: ToTraffic) => void;
  readonly #waiting = new Map<number, (text: string) => void>();
  #nextId = 1;

  constructor(send: (message: ToTraffic) => void) {
    this.#send = send;
  }

  /** Its text, or an empty one. Never rejects. */
  async ask(): Promise<string> {
    const id = this.#nextId;
    this.#nextId += 1;
    const { promise, resolve } = Promise.withResolvers<string>();
    const timer = setTimeout(resolve, ANSWER_WITHIN_MS, "").unref();
    this.#waiting.set(id, resolve);
    this.#send({ kind: "metrics_request", id });
    const text = await promise;
    clearTimeout(timer);
    this.#waiting.delete(id);
    return text;
  }

  received(message: FromTraffic): void {
    if (message.kind === "metrics") this.#waiting.get(message.id)?.(message.text);
  }
}
