/** Tracing as a whole, for as long as the mesh asks for it: spans of this thread's requests, to one collector. */
import type { TracingSettings } from "../../core/model/mesh-settings.ts";
import type { ConnectionFacts } from "../flow/connection-facts.ts";
import { type CollectorView, chooseCollector } from "./choose-collector.ts";
import { OtlpClient } from "./otlp-client.ts";
import { encodeRequest, encodeResource } from "./otlp-writer.ts";
import { SpanExporter, type SpanFate, type SpanOwner } from "./span-exporter.ts";
import { Tracer } from "./tracer.ts";

export interface TracingParts {
  readonly view: CollectorView;
  readonly node: string;
  /** Of the node proxy. */
  readonly version: string;
  readonly count: (fate: SpanFate, spans: number) => void;
  readonly log: {
    info(facts: object, message: string): void;
    warn(facts: object, message: string): void;
  };
}

export class Tracing {
  readonly tracer: Tracer;
  readonly #parts: TracingParts;
  readonly #client: OtlpClient;
  readonly #exporter: SpanExporter;
  #settings: TracingSettings;

  constructor(parts: TracingParts, settings: TracingSettings) {
    this.#parts = parts;
    this.#settings = settings;
    const { view, node, version } = parts;
    this.#client = new OtlpClient({
      find: () => chooseCollector(view, this.#settings, { draw: Math.random, node }),
      userAgent: `weft/${version}`,
    });
    this.#exporter = new SpanExporter({
      post: async (batch) =>
        this.#client.post(encodeRequest(batch, { name: "weft", version: parts.version })),
      count: parts.count,
      onChanged: (reason) => this.#tell(reason),
      draw: Math.random,
      now: () => performance.now(),
    });
    this.tracer = new Tracer({
      settings: () => this.#settings,
      ended: (facts, span) => this.#exporter.add(ownerOf(facts, node), span),
    });
  }

  follow(settings: TracingSettings): void {
    const { service, port } = this.#settings;
    if (service !== settings.service || port !== settings.port) this.#client.forget();
    this.#settings = settings;
  }

  /** Resolves once what has ended until now is taken, or it is clear that it is not. */
  async flush(): Promise<void> {
    await this.#exporter.flush();
  }

  close(): void {
    this.#exporter.close();
    this.#client.close();
  }

  #tell(reason: string | undefined): void {
    const { log } = this.#parts;
    const { service, port } = this.#settings;
    if (reason === undefined) log.info({ service, port }, "collector takes spans again");
    else log.warn({ service, port, reason }, "spans could not be exported");
  }
}

/** The pod of this node whose hop it is. */
function ownerOf(facts: ConnectionFacts, node: string): SpanOwner {
  const { direction, source, destination, pod } = facts;
  const { namespace, name, owner } = direction === "inbound" ? destination : source;
  return {
    key: pod,
    resource: () =>
      encodeResource([
        ["service.name", owner === "" ? name : owner],
        ["service.namespace", namespace],
        ["k8s.namespace.name", namespace],
        ["k8s.pod.name", name],
        ["k8s.pod.uid", pod],
        ["k8s.node.name", node],
      ]),
  };
}
