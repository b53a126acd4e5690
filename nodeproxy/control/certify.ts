/**
 * Asks the operator for a leaf for one pod of this node. The key never leaves the node: only the CSR
 * does. Bursts share one connection; what comes back is verified by the caller before it is served.
 */
import { Code, ConnectError } from "@connectrpc/connect";
import {
  type OperatorConnection,
  OperatorLineError,
  type OperatorLineFailure,
  type OperatorLineOptions,
  openOperatorLine,
} from "./operator-line.ts";

const CERTIFY_TIMEOUT_MS = 10_000;
const MAX_PUSHBACK_MS = 60_000;

export type CertifyFailure =
  | OperatorLineFailure
  /** The operator does not take the token. */
  | "not_authenticated"
  /** The operator will not issue; `refusal` says why. */
  | "refused"
  /** Too many requests, or the operator is stopping: try again later. */
  | "overloaded"
  | "timed_out"
  /** The answer was cut, too large, or is none. */
  | "broken_answer"
  /** An answer without a certificate. */
  | "empty_chain";

class CertifyError extends Error {
  override readonly name = "CertifyError";
  readonly reason: CertifyFailure;
  /** The operator's own stable reason, "" where it gave none. */
  readonly refusal: string;
  /** No sooner again, by the operator's wish; 0 where it has none. */
  readonly retryAfterMs: number;

  constructor(
    reason: CertifyFailure,
    refusal: string,
    options: ErrorOptions & { readonly retryAfterMs?: number },
  ) {
    super(`no certificate: ${reason}${refusal === "" ? "" : ` (${refusal})`}`, options);
    this.reason = reason;
    this.refusal = refusal;
    this.retryAfterMs = options.retryAfterMs ?? 0;
  }
}

export interface CertifyRequest {
  /** UID of the pod. */
  readonly workload: string;
  /** PKCS#10, DER. */
  readonly csr: Uint8Array;
  readonly signal: AbortSignal;
}

export class CertifyClient {
  readonly #line: OperatorLineOptions;
  readonly #stop = new AbortController();
  #connection: Promise<OperatorConnection> | undefined;
  /** Not asked any more; each closes itself once nothing is under way on it. */
  readonly #left = new Set<OperatorConnection>();

  constructor(line: OperatorLineOptions) {
    this.#line = line;
  }

  /** The chain in DER, leaf first, without the root. Throws a CertifyError, or the signal's reason. */
  async certify({ workload, csr, signal }: CertifyRequest): Promise<Uint8Array[]> {
    let connection: OperatorConnection | undefined;
    try {
      connection = await this.#connect();
      const headers = await connection.headers();
      signal.throwIfAborted();
      const options = { headers, signal, timeoutMs: CERTIFY_TIMEOUT_MS };
      const { chain } = await connection.client.certify({ workload, csr }, options);
      if (chain.length > 0) return chain;
    } catch (error) {
      signal.throwIfAborted();
      const failure = certifyError(error);
      if (connection && isSuspect(failure.reason)) this.#leave(connection);
      throw failure;
    }
    throw new CertifyError("empty_chain", "", {});
  }

  async close(): Promise<void> {
    this.#stop.abort();
    const connection = await this.#connection?.catch(() => undefined);
    connection?.close();
    for (const left of this.#left) left.close();
  }

  /** The next request opens another one; those under way here may still be answered. */
  #leave(connection: OperatorConnection): void {
    for (const left of this.#left) if (!left.isOpen()) this.#left.delete(left);
    if (this.#left.has(connection)) return;
    this.#left.add(connection);
    this.#connection = undefined;
  }

  async #connect(): Promise<OperatorConnection> {
    const current = this.#connection;
    if (current !== undefined) {
      const connection = await current.catch(() => undefined);
      if (connection?.isOpen()) return connection;
    }
    // Whoever comes first after a break opens the next; the others wait for the same one.
    if (this.#connection === current) {
      this.#connection = openOperatorLine(this.#line, this.#stop.signal);
    }
    return this.#connection ?? this.#connect();
  }
}

/**
 * An answer that nobody has read to its end holds the connection's window (RFC 9113 5.2): PINGs are answered, and
 * every other answer waits for ever.
 */
function isSuspect(reason: CertifyFailure): boolean {
  return reason === "broken_answer" || reason === "timed_out";
}

function certifyError(error: unknown): CertifyError {
  if (error instanceof OperatorLineError) {
    return new CertifyError(error.reason, "", { cause: error });
  }
  const failure = ConnectError.from(error);
  const refusal = failure.metadata.get("weft-reason") ?? "";
  const retryAfterMs = pushbackMs(failure.metadata.get("grpc-retry-pushback-ms"));
  return new CertifyError(reasonOf(failure.code, refusal), refusal, { cause: error, retryAfterMs });
}

/**
 * gRPC A6: "If the value for pushback is negative or unparseble, then it will be seen as the server asking the client
 * not to retry at all". Without a leaf a pod falls silent, so it is asked again all the same, late.
 */
export function pushbackMs(trailer: string | null): number {
  if (trailer === null) return 0;
  return /^\d{1,9}$/.test(trailer) ? Math.min(Number(trailer), MAX_PUSHBACK_MS) : MAX_PUSHBACK_MS;
}

function reasonOf(code: Code, refusal: string): CertifyFailure {
  if (code === Code.Unauthenticated) return "not_authenticated";
  if (code === Code.DeadlineExceeded) return "timed_out";
  // What the operator decides has its reason; this is the transport's word.
  if (refusal === "" && code !== Code.Unavailable) return "broken_answer";
  if (code === Code.ResourceExhausted) return "overloaded";
  if (code === Code.Unavailable) return refusal === "" ? "operator_unreachable" : "overloaded";
  return "refused";
}
