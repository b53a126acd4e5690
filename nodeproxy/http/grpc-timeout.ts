/** How long a gRPC call may take, as its caller says in `grpc-timeout`. */
import { fieldOf } from "./http2-head.ts";
import type { FieldLines } from "./message.ts";

/** gRPC's PROTOCOL-HTTP2.md: "TimeoutUnit", in milliseconds. */
const UNITS: Readonly<Record<string, number>> = {
  H: 3_600_000,
  M: 60_000,
  S: 1_000,
  m: 1,
  u: 0.001,
  n: 0.000_001,
};
/** Of a timer: longer is as good as none. */
const LONGEST_MS = 2 ** 31 - 1;

/** Milliseconds, at least one; 0: it does not say, or says nothing that can be read. */
export function grpcTimeoutOf(fields: FieldLines): number {
  const [, digits, unit = ""] =
    /^(\d{1,8})([HMSmun])$/.exec(fieldOf(fields, "grpc-timeout") ?? "") ?? [];
  if (digits === undefined) return 0;
  const ms = Math.max(1, Math.ceil(Number(digits) * (UNITS[unit] ?? 0)));
  return ms > LONGEST_MS ? 0 : ms;
}

/** The shorter of the two, 0 being none. */
export function shorterTimeout(one: number, other: number): number {
  return one === 0 || other === 0 ? Math.max(one, other) : Math.min(one, other);
}
