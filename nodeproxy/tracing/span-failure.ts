/**
 * Did a request fail, as OpenTelemetry means it, and how is that called? What a caller did wrong is no error of the
 * server: "For HTTP status codes in the 4xx range span status MUST be left unset in case of SpanKind.SERVER", also where
 * the mesh gave that answer. Pure.
 */

export interface EndedExchange {
  readonly isServer: boolean;
  /** 0: it had no answer. */
  readonly status: number;
  /** `undefined` for what is not gRPC, and where none was told. */
  readonly grpcStatus: number | undefined;
  /** The access log's. */
  readonly code: string;
}

export interface Failure {
  /** `error.type`; "" for none. */
  readonly type: string;
  readonly isError: boolean;
}

/** Of gRPC, for a server: UNKNOWN, DEADLINE_EXCEEDED, UNIMPLEMENTED, INTERNAL, UNAVAILABLE and DATA_LOSS. */
const SERVER_ERRORS: ReadonlySet<number> = new Set([2, 4, 12, 13, 14, 15]);

export function failureOf(ended: EndedExchange): Failure {
  const { status, grpcStatus, code } = ended;
  const isError = isFailedCall(ended) ?? isFailedExchange(ended);
  if (code !== "" || !isError) return { type: code, isError };
  return { type: `${grpcStatus ?? status}`, isError };
}

/** `undefined` where its status says nothing against it. */
function isFailedCall({ grpcStatus = 0, isServer }: EndedExchange): boolean | undefined {
  if (grpcStatus === 0) return undefined;
  return !isServer || SERVER_ERRORS.has(grpcStatus);
}

function isFailedExchange({ status, code, isServer }: EndedExchange): boolean {
  if (status >= 400 && status < 500) return !isServer;
  // Also an answer that began well may have been broken off.
  return code !== "" || status === 0 || status >= 500;
}
