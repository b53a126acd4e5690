/**
 * Messages of OTLP in protobuf's binary form, field by field: opentelemetry/proto/{common,resource,trace}/v1 and
 * collector/trace/v1, of which only what is said here. Written by hand: a span is made of some forty messages, and
 * thousands of spans a second must not cost the requests that they tell of.
 */
import { BinaryWriter } from "@bufbuild/protobuf/wire";

/** Bigints and numbers alike are `int_value`. An attribute without a value is left out. */
export type Attributes = readonly (readonly [name: string, value: string | number | undefined])[];

export interface SpanMessage {
  readonly traceId: string;
  readonly spanId: string;
  /** "" at the root. */
  readonly parentId: string;
  readonly state: string;
  readonly name: string;
  readonly kind: keyof typeof KINDS;
  /** Milliseconds since the epoch. */
  readonly beganMs: number;
  readonly endedMs: number;
  readonly attributes: Attributes;
  readonly isError: boolean;
  /** Of `traceparent`. */
  readonly flags: number;
}

/** `Span.SpanKind` */
const KINDS = { SERVER: 2, CLIENT: 3 } as const;
/** `Status.StatusCode` */
const ERROR = 2;
/** `SpanFlags`: that it is known whether the parent is of another process, and that it is. */
const REMOTE_PARENT = 0x300;

const VARINT = 0;
const FIXED64 = 1;
const BYTES = 2;
const FIXED32 = 5;

export function encodeSpan(span: SpanMessage): Uint8Array {
  const writer = new BinaryWriter();
  writer.tag(1, BYTES).bytes(Buffer.from(span.traceId, "hex"));
  writer.tag(2, BYTES).bytes(Buffer.from(span.spanId, "hex"));
  if (span.state !== "") writer.tag(3, BYTES).string(span.state);
  if (span.parentId !== "") writer.tag(4, BYTES).bytes(Buffer.from(span.parentId, "hex"));
  writer.tag(5, BYTES).string(span.name);
  writer.tag(6, VARINT).int32(KINDS[span.kind]);
  writer.tag(7, FIXED64).fixed64(nanoseconds(span.beganMs));
  writer.tag(8, FIXED64).fixed64(nanoseconds(span.endedMs));
  writeAttributes(writer, 9, span.attributes);
  if (span.isError) writer.tag(15, BYTES).fork().tag(3, VARINT).int32(ERROR).join();
  writer.tag(16, FIXED32).fixed32(span.flags | (span.parentId === "" ? 0 : REMOTE_PARENT));
  return writer.finish();
}

export function encodeResource(attributes: Attributes): Uint8Array {
  const writer = new BinaryWriter();
  writeAttributes(writer, 1, attributes);
  return writer.finish();
}

export interface Scope {
  readonly name: string;
  readonly version: string;
}

export interface ResourceSpans {
  readonly resource: Uint8Array;
  readonly spans: readonly Uint8Array[];
}

/** An `ExportTraceServiceRequest`. */
export function encodeRequest(all: readonly ResourceSpans[], scope: Scope): Uint8Array {
  const writer = new BinaryWriter();
  for (const { resource, spans } of all) {
    writer.tag(1, BYTES).fork();
    writer.tag(1, BYTES).bytes(resource);
    writer.tag(2, BYTES).fork();
    writer.tag(1, BYTES).fork();
    writer.tag(1, BYTES).string(scope.name).tag(2, BYTES).string(scope.version).join();
    for (const span of spans) writer.tag(2, BYTES).bytes(span);
    writer.join().join();
  }
  return writer.finish();
}

function writeAttributes(writer: BinaryWriter, field: number, attributes: Attributes): void {
  for (const [name, value] of attributes) {
    if (value === undefined || value === "") continue;
    writer.tag(field, BYTES).fork().tag(1, BYTES).string(name).tag(2, BYTES).fork();
    if (typeof value === "string") writer.tag(1, BYTES).string(value);
    else writer.tag(3, VARINT).int64(value);
    writer.join().join();
  }
}

/** A number has no room for them all: whole microseconds are exact. */
function nanoseconds(timeMs: number): bigint {
  return BigInt(Math.round(timeMs * 1_000)) * 1_000n;
}
