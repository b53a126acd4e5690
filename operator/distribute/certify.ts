/**
 * Answers a node's request for a leaf: who asks comes from its token, whether it may have one is
 * `issue`'s to say. Here the limits, the turn among the nodes, and how a refusal looks on the wire.
 *
 * Every refusal is told with its reason, whoever spoke it; never the request or a token.
 */
import { create } from "@bufbuild/protobuf";
import { Code, ConnectError } from "@connectrpc/connect";
import {
  type CertifyRequest,
  type CertifyResponse,
  CertifyResponseSchema,
} from "../../core/wire/gen/weft/v1/node_pb.ts";
import { type Authenticated, refusalOfCaller } from "./authenticate.ts";
import { FairQueue, type QueueLimits } from "./fair-queue.ts";
import { NodeRate, type RateLimits } from "./node-rate.ts";
import type { UnreadCall } from "./unread-call.ts";

/** A P-256 request is 300 bytes. */
const MAX_CSR_BYTES = 16_384;
/** What the whole request may be: the CSR, a UID, and room. */
export const MAX_CERTIFY_BYTES = 20_480;
/**
 * A node with 500 accounts whose leaves live a minute asks 17 times a second; the burst is for one that
 * starts. At 2,500 a second and core a full queue is worked off in 3 s, within a node's patience of 10.
 */
const LIMITS: CertifyLimits = {
  perSecond: 64,
  burst: 512,
  waitingPerOwner: 256,
  waiting: 8_192,
  underWay: 64,
};
/** Hint where the queue is full: half of it is gone by then. */
const BUSY_RETRY_MS = 1_500;
/** gRPC A6: "the server can set how long to wait before the next attempt", in the trailers. */
const RETRY_HINT = "grpc-retry-pushback-ms";

export interface CertifyLimits extends QueueLimits, RateLimits {}

export interface IssueRequest {
  readonly node: string;
  /** UID of the pod. */
  readonly workload: string;
  /** PKCS#10, DER. */
  readonly csr: Uint8Array;
  readonly now: number;
}

export type Issued =
  | { readonly kind: "issued"; readonly chain: readonly Uint8Array[]; readonly notAfterMs: number }
  | { readonly kind: "refused"; readonly reason: string; readonly message: string }
  /** Nothing is wrong with the request: the CA cannot sign at the moment. */
  | { readonly kind: "unavailable"; readonly reason: string; readonly message: string };

export type Issue = (request: IssueRequest) => Issued | Promise<Issued>;

export interface CertifyCall {
  readonly caller: Authenticated;
  /** Where the call comes from; "" where that is not known any more. */
  readonly address: string;
  readonly request: Pick<CertifyRequest, "csr" | "workload">;
  /** Aborts when nobody waits for the answer any more. */
  readonly signal: AbortSignal;
}

export type CertifyOutcome =
  | { readonly kind: "issued"; readonly waitedMs: number }
  | CertifyRefusal
  | { readonly kind: "unavailable"; readonly reason: string };

export interface CertifyRefusal {
  readonly kind: "refused";
  /** Stable. */
  readonly reason: string;
  readonly detail: string;
  /** "" where the caller has not said credibly who it is. */
  readonly node: string;
  /** UID of the pod that was asked for. */
  readonly workload: string;
  readonly address: string;
}

export interface CertifierOptions {
  readonly issue: Issue;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
  readonly onOutcome: (outcome: CertifyOutcome) => void;
  readonly limits?: CertifyLimits;
}

export class Certifier {
  readonly #options: CertifierOptions;
  readonly #queue: FairQueue;
  readonly #rate: NodeRate;

  constructor(options: CertifierOptions) {
    this.#options = options;
    this.#queue = new FairQueue(options.limits ?? LIMITS);
    this.#rate = new NodeRate(options.limits ?? LIMITS);
  }

  /** Requests that wait for their turn. */
  get waiting(): number {
    return this.#queue.waiting;
  }

  /** Throws a ConnectError where there is no certificate. */
  async certify(call: CertifyCall): Promise<CertifyResponse> {
    const { caller, request, signal } = call;
    if (caller.kind === "refused") {
      this.#tell(call, { reason: caller.reason, message: caller.detail ?? "" });
      throw refusalOfCaller(caller);
    }
    const { node } = caller;
    this.#checkLimits(call, node);
    const { csr, workload } = request;
    const askedAt = performance.now();
    let waitedMs = 0;
    const issued = await this.#queue.run(
      node,
      () => {
        waitedMs = performance.now() - askedAt;
        return this.#options.issue({ node, workload, csr, now: this.#options.now() });
      },
      signal,
    );
    switch (issued.kind) {
      case "issued":
        this.#options.onOutcome({ kind: "issued", waitedMs });
        return create(CertifyResponseSchema, { chain: [...issued.chain] });
      case "refused":
        this.#tell(call, issued);
        throw refusal(issued.reason, issued.message);
      case "unavailable":
        this.#options.onOutcome({ kind: "unavailable", reason: issued.reason });
        // The node keeps the certificate that it has and asks again.
        throw new ConnectError(issued.message, Code.Unavailable, { "weft-reason": issued.reason });
    }
  }

  /** Counts and audits a call that the transport has refused: whose pod it was about nobody has read. */
  refuseUnread({ caller, address }: Omit<Told, "request">, call: UnreadCall): void {
    // A caller that is nobody stays that, whatever it sends.
    const why =
      caller.kind === "node" ? call : { reason: caller.reason, message: caller.detail ?? "" };
    this.#tell({ caller, address, request: { workload: "" } }, why);
  }

  /** What the node's own share takes, then what all together take. */
  #checkLimits(call: CertifyCall, node: string): void {
    const retryMs = this.#rate.take(node, performance.now());
    if (retryMs > 0) this.#refuse(call, tooMany("more requests than a node may make", retryMs));
    const { length } = call.request.csr;
    if (length === 0 || length > MAX_CSR_BYTES) {
      this.#refuse(call, { reason: "csr_malformed", message: "CSR is empty or too large" });
    }
    const full = this.#queue.isFullFor(node);
    if (full === "owner_full") {
      this.#refuse(call, tooMany("too many requests of this node wait", BUSY_RETRY_MS));
    }
    if (full === "full") {
      const message = "too many requests of all nodes wait";
      this.#refuse(call, { reason: "issuer_busy", message, retryMs: BUSY_RETRY_MS });
    }
  }

  #refuse(call: CertifyCall, why: Why): never {
    this.#tell(call, why);
    throw refusal(why.reason, why.message, why.retryMs);
  }

  #tell({ caller, request, address }: Told, { reason, message: detail }: Why): void {
    const node = caller.kind === "node" ? caller.node : "";
    const { workload } = request;
    this.#options.onOutcome({ kind: "refused", reason, detail, node, workload, address });
  }
}

interface Told extends Pick<CertifyCall, "caller" | "address"> {
  readonly request: Pick<CertifyRequest, "workload">;
}

interface Why {
  readonly reason: string;
  readonly message: string;
  readonly retryMs?: number;
}

function tooMany(message: string, retryMs: number): Why {
  return { reason: "too_many_requests", message, retryMs };
}

/** The stable reason travels in `weft-reason`; the code tells generic clients whether to try again. */
function refusal(reason: string, message: string, retryMs?: number): ConnectError {
  const hint = retryMs === undefined ? {} : { [RETRY_HINT]: String(retryMs) };
  return new ConnectError(message, codeOf(reason), { "weft-reason": reason, ...hint });
}

function codeOf(reason: string): Code {
  if (reason.startsWith("csr_")) return Code.InvalidArgument;
  if (reason === "too_many_requests" || reason === "issuer_busy") return Code.ResourceExhausted;
  // The pod may be known to the operator in a moment.
  return reason === "workload_unknown" ? Code.NotFound : Code.PermissionDenied;
}
