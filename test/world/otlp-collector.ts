/**
 * An OpenTelemetry Collector, as far as it takes spans: its own OTLP receiver, v0.164, in a program of a few lines that
 * prints them. Built once into the cache folder.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { arch } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { cached, hashOf } from "../cluster/build-cache.ts";
import { runCommand } from "../cluster/command.ts";
import { findGo } from "../cluster/find-go.ts";
import { until } from "./until.ts";

const SOURCE = join(import.meta.dirname, "otlp-collector");
const FILES = ["go.mod", "go.sum", "main.go", "statusutil/go.mod", "statusutil/statusutil.go"];
const KINDS = ["", "INTERNAL", "SERVER", "CLIENT"];

export interface CollectedSpan {
  readonly traceId: string;
  readonly spanId: string;
  /** "" at the root. */
  readonly parentId: string;
  readonly state: string;
  readonly name: string;
  readonly kind: string;
  readonly isError: boolean;
  /** Nanoseconds since the epoch. */
  readonly began: bigint;
  readonly ended: bigint;
  /** With those of its resource; numbers as text. */
  readonly attributes: Readonly<Record<string, string>>;
}

interface Attribute {
  readonly key: string;
  readonly value: { readonly stringValue?: string; readonly intValue?: string };
}

interface Traces {
  readonly resourceSpans?: readonly {
    readonly resource: { readonly attributes?: readonly Attribute[] };
    readonly scopeSpans: readonly {
      readonly scope: { readonly name?: string };
      readonly spans: readonly {
        readonly traceId: string;
        readonly spanId: string;
        readonly parentSpanId?: string;
        readonly traceState?: string;
        readonly name: string;
        readonly kind: number;
        readonly startTimeUnixNano: string;
        readonly endTimeUnixNano: string;
        readonly attributes?: readonly Attribute[];
        readonly status: { readonly code?: number };
      }[];
    }[];
  }[];
}

/** Path of the program; throws with the command that failed. */
async function provideOtlpCollector(): Promise<string> {
  const inputs = await Promise.all(FILES.map(async (file) => readFile(join(SOURCE, file))));
  return cached(`otlp-collector-${hashOf([arch(), ...inputs])}`, async (path) => {
    const build = ["build", "-trimpath", "-ldflags", "-s -w", "-o", path, "."];
    await runCommand([await findGo(26), ...build], { cwd: SOURCE, env: { CGO_ENABLED: "0" } });
  });
}

export class OtlpCollector implements AsyncDisposable {
  /** All that it ever took. */
  readonly spans: CollectedSpan[] = [];
  readonly #address: string;
  #program: ChildProcess | undefined;

  /** `address:port` */
  constructor(address: string) {
    this.#address = address;
  }

  async start(): Promise<void> {
    const program = spawn(await provideOtlpCollector(), [this.#address], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    this.#program = program;
    const lines = createInterface({ input: program.stdout });
    const listening = once(lines, "line");
    lines.on("line", (line) => this.spans.push(...spansIn(JSON.parse(line) as Traces)));
    await Promise.race([listening, once(program, "exit").then(() => this.#fail())]);
  }

  async stop(): Promise<void> {
    const program = this.#program;
    this.#program = undefined;
    if (!program || program.exitCode !== null) return;
    program.kill();
    await once(program, "close");
  }

  /** Of that trace, once there are so many. */
  async of(traceId: string, count: number): Promise<readonly CollectedSpan[]> {
    return until(`${count} spans of ${traceId}`, () => {
      const found = this.spans.filter((span) => span.traceId === traceId);
      return found.length >= count ? found : undefined;
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }

  #fail(): never {
    throw new Error(`the collector does not listen at ${this.#address}`);
  }
}

function spansIn({ resourceSpans = [] }: Traces): readonly CollectedSpan[] {
  return resourceSpans.flatMap(({ resource, scopeSpans }) =>
    scopeSpans.flatMap(({ spans }) =>
      spans.map((span) => ({
        traceId: span.traceId,
        spanId: span.spanId,
        parentId: span.parentSpanId ?? "",
        state: span.traceState ?? "",
        name: span.name,
        kind: KINDS[span.kind] ?? "",
        isError: span.status.code === 2,
        began: BigInt(span.startTimeUnixNano),
        ended: BigInt(span.endTimeUnixNano),
        attributes: { ...textsOf(resource.attributes), ...textsOf(span.attributes) },
      })),
    ),
  );
}

function textsOf(attributes: readonly Attribute[] = []): Record<string, string> {
  const texts = attributes.map(({ key, value }) => [
    key,
    value.stringValue ?? value.intValue ?? "",
  ]);
  return Object.fromEntries(texts) as Record<string, string>;
}
