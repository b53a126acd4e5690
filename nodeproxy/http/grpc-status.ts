/**
 * How a refusal is said to a gRPC client: which status, and in which characters.
 *
 * https://github.com/grpc/grpc/blob/master/doc/http-grpc-status-mapping.md and PROTOCOL-HTTP2.md.
 */

import { fieldOf } from "./http2-head.ts";
import type { FieldLines } from "./message.ts";

const UNKNOWN = 2;
const STATUSES: Readonly<Record<number, number>> = {
  400: 13,
  401: 16,
  403: 7,
  404: 12,
  429: 14,
  431: 13,
  502: 14,
  503: 14,
  504: 14,
};

/** "application/grpc", with a suffix as "+proto" or parameters; not gRPC-Web, which is plain HTTP. */
export function isGrpc(fields: FieldLines): boolean {
  return /^application\/grpc(?:$|[+;\s])/i.test(fieldOf(fields, "content-type") ?? "");
}

export function grpcStatusOf(status: number): number {
  return STATUSES[status] ?? UNKNOWN;
}

/** What an answer of gRPC would have as HTTP's status: as Envoy reads it for the health of endpoints. By number of gRPC. */
const HTTP_STATUSES: readonly number[] = [
  200, 499, 500, 400, 504, 404, 409, 403, 429, 400, 409, 400, 501, 500, 503, 500, 401,
];

export function httpStatusOfGrpc(status: number): number {
  return HTTP_STATUSES[status] ?? 500;
}

/** What trailers, or a head without a message behind it, say; `undefined` where they say nothing that is a status. */
export function grpcStatusIn(fields: FieldLines): number | undefined {
  const text = fieldOf(fields, "grpc-status") ?? "";
  return /^\d{1,2}$/.test(text) ? Number(text) : undefined;
}

/** "Percent-Encoded": UTF-8, where only printable ASCII without "%" stands for itself. */
export function encodeGrpcMessage(text: string): string {
  return text.replace(/[^ -$&-~]+/gu, (odd) =>
    [...Buffer.from(odd)].map((octet) => `%${hex(octet)}`).join(""),
  );
}

function hex(octet: number): string {
  return octet.toString(16).toUpperCase().padStart(2, "0");
}
