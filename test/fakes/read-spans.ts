/** Reads what a span exporter wrote, by the numbers of OTLP's fields alone: whoever writes them wrongly is found out. */
import { BinaryReader } from "@bufbuild/protobuf/wire";

export interface ReadSpan {
  readonly traceId: string;
  readonly spanId: string;
  readonly parentId: string;
  readonly state: string;
  readonly name: string;
  readonly kind: number;
  readonly beganNs: bigint;
  readonly endedNs: bigint;
  readonly status: number;
  readonly flags: number;
  readonly attributes: Readonly<Record<string, string | number>>;
}

type Read = (reader: BinaryReader) => void;

export function readSpan(bytes: Uint8Array): ReadSpan {
  const attributes: Record<string, string | number> = {};
  const span = {
    traceId: "",
    spanId: "",
    parentId: "",
    state: "",
    name: "",
    kind: 0,
    beganNs: 0n,
    endedNs: 0n,
    status: 0,
    flags: 0,
  };
  readFields(bytes, {
    1: (reader) => (span.traceId = hex(reader)),
    2: (reader) => (span.spanId = hex(reader)),
    3: (reader) => (span.state = reader.string()),
    4: (reader) => (span.parentId = hex(reader)),
    5: (reader) => (span.name = reader.string()),
    6: (reader) => (span.kind = reader.int32()),
    7: (reader) => (span.beganNs = BigInt(reader.fixed64())),
    8: (reader) => (span.endedNs = BigInt(reader.fixed64())),
    9: (reader) => readAttribute(reader.bytes(), attributes),
    15: (reader) => readFields(reader.bytes(), { 3: (inner) => (span.status = inner.int32()) }),
    16: (reader) => (span.flags = reader.fixed32()),
  });
  return { ...span, attributes };
}

function readAttribute(bytes: Uint8Array, into: Record<string, string | number>): void {
  let name = "";
  readFields(bytes, {
    1: (reader) => (name = reader.string()),
    2: (reader) =>
      readFields(reader.bytes(), {
        1: (value) => (into[name] = value.string()),
        3: (value) => (into[name] = Number(value.int64())),
      }),
  });
}

function readFields(bytes: Uint8Array, fields: Readonly<Record<number, Read>>): void {
  const reader = new BinaryReader(bytes);
  while (reader.pos < reader.len) {
    const [field, type] = reader.tag();
    const read = fields[field];
    if (!read) throw new Error(`field ${field} of wire type ${type}`);
    read(reader);
  }
}

function hex(reader: BinaryReader): string {
  return Buffer.from(reader.bytes()).toString("hex");
}
