/**
 * Asks the traffic process for its metrics over the line, for the page that control serves. A process
 * that is away, hangs or was replaced meanwhile costs its part of the page, never the page.
 */
import type { Registry } from "prom-client";
import type { AdminAnswer } from "../core/process/admin.ts";
import type { FromTraffic, ToTraffic } from "./channel/messages.ts";
import { mergeMetrics } from "./telemetry/merge-metrics.ts";

/** Prometheus gives a scrape 10 s by default. */
const ANSWER_WITHIN_MS = 2_000;

export class TrafficMetrics {
  readonly #send: (message: ToTraffic) => void;
  readonly #waiting = new Map<number, (text: string) => void>();
  #nextId = 1;

  constructor(send: (message: ToTraffic) => void) {
    this.#send = send;
  }

  /** Control's own metrics and the traffic process's. */
  async page(registry: Registry): Promise<AdminAnswer> {
    const traffic = await this.#ask();
    const body = mergeMetrics(await registry.metrics(), traffic);
    return { status: 200, contentType: registry.contentType, body };
  }

  received(message: FromTraffic): void {
    if (message.kind === "metrics") this.#waiting.get(message.id)?.(message.text);
  }

  /** Its text, or an empty one. Never rejects. */
  async #ask(): Promise<string> {
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
}
