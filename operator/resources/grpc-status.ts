/** Reads a status of gRPC by its name in capitals, as Istio's faults write it. */
import { type Field, oneOf } from "./fields.ts";

/** By their numbers; https://grpc.github.io/grpc/core/md_doc_statuscodes.html. */
const NAMES = [
  "OK",
  "CANCELLED",
  "UNKNOWN",
  "INVALID_ARGUMENT",
  "DEADLINE_EXCEEDED",
  "NOT_FOUND",
  "ALREADY_EXISTS",
  "PERMISSION_DENIED",
  "RESOURCE_EXHAUSTED",
  "FAILED_PRECONDITION",
  "ABORTED",
  "OUT_OF_RANGE",
  "UNIMPLEMENTED",
  "INTERNAL",
  "UNAVAILABLE",
  "DATA_LOSS",
  "UNAUTHENTICATED",
] as const;
const FAILURES = NAMES.slice(1);

export const GRPC_UNAVAILABLE = NAMES.indexOf("UNAVAILABLE");

/** Its number; success is none of them. */
export function grpcFailure(field: Field): number | undefined {
  const name = oneOf(field, FAILURES);
  return name && NAMES.indexOf(name);
}
