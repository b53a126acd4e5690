/**
 * Whether requests are traced now, as MeshConfig says: what it takes is loaded with the first that asks for it, for few
 * meshes do. What is traced until then goes on without a span.
 */
import type { TracingSettings } from "../../core/model/mesh-settings.ts";
import type { Tracer } from "./tracer.ts";
import type { Tracing, TracingParts } from "./tracing.ts";

export class LateTracing {
  readonly #parts: TracingParts;
  #wanted: TracingSettings | undefined;
  #tracing: Tracing | undefined;
  #isClosed = false;

  constructor(parts: TracingParts) {
    this.#parts = parts;
  }

  /** `undefined` while there is no tracing. */
  get tracer(): Tracer | undefined {
    return this.#tracing?.tracer;
  }

  /** Absent: from now on none. */
  follow(settings: TracingSettings | undefined): void {
    this.#wanted = settings;
    if (!settings) this.#end();
    else if (this.#tracing) this.#tracing.follow(settings);
    else void this.#begin();
  }

  /** Of what has ended: as `Tracing` has it. */
  async flush(): Promise<void> {
    await this.#tracing?.flush();
  }

  close(): void {
    this.#isClosed = true;
    this.#end();
  }

  async #begin(): Promise<void> {
    const { Tracing } = await import("./tracing.ts");
    if (this.#isClosed || this.#tracing || !this.#wanted) return;
    this.#tracing = new Tracing(this.#parts, this.#wanted);
  }

  #end(): void {
    this.#tracing?.close();
    this.#tracing = undefined;
  }
}
