/**
 * What the traffic process says of itself over the line: its metrics and the denials that it keeps, when
 * asked, and its open connections as it told them last. A process that is away, hangs or was replaced
 * meanwhile costs its part of an answer, never the answer.
 */
import type { Registry } from "prom-client";
import type { DeniedAttempt } from "../core/model/denied-attempt.ts";
import type { AdminAnswer } from "../core/process/admin.ts";
import type { FromTraffic, OpenConnection, ToTraffic } from "./channel/messages.ts";
import { mergeMetrics } from "./telemetry/merge-metrics.ts";

/** Prometheus gives a scrape 10 s by default. */
const ANSWER_WITHIN_MS = 2_000;

type Answer = Extract<FromTraffic, { readonly kind: "metrics" | "denial" }>;

export class TrafficAnswers {
  readonly #send: (message: ToTraffic) => void;
  readonly #waiting = new Map<number, (answer: Answer | undefined) => void>();
  #nextId = 1;
  #connections: readonly OpenConnection[] = [];

  constructor(send: (message: ToTraffic) => void) {
    this.#send = send;
  }

  /** Control's own metrics and the traffic process's. */
  async page(registry: Registry): Promise<AdminAnswer> {
    const answer = await this.#ask((id) => ({ kind: "metrics_request", id }));
    const traffic = answer?.kind === "metrics" ? answer.text : "";
    const body = mergeMetrics(await registry.metrics(), traffic);
    return { status: 200, contentType: registry.contentType, body };
  }

  /** Of that id in the access log. */
  async denial(denial: string): Promise<DeniedAttempt | undefined> {
    const answer = await this.#ask((id) => ({ kind: "denial_request", id, denial }));
    const attempt = answer?.kind === "denial" ? answer.attempt : undefined;
    return attempt?.id === denial ? attempt : undefined;
  }

  connections(): readonly OpenConnection[] {
    return this.#connections;
  }

  received(message: FromTraffic): void {
    if (message.kind === "connections") this.#connections = message.open;
    if (message.kind === "metrics" || message.kind === "denial") {
      this.#waiting.get(message.id)?.(message);
    }
  }

  /** Never rejects. */
  async #ask(question: (id: number) => ToTraffic): Promise<Answer | undefined> {
    const id = this.#nextId;
    this.#nextId += 1;
    const { promise, resolve } = Promise.withResolvers<Answer | undefined>();
    const timer = setTimeout(resolve, ANSWER_WITHIN_MS, undefined).unref();
    this.#waiting.set(id, resolve);
    this.#send(question(id));
    const answer = await promise;
    clearTimeout(timer);
    this.#waiting.delete(id);
    return answer;
  }
}
