/**
 * Answers a node's request for a leaf: who asks comes from its token, whether it may have one is
 * `issue`'s to say. Here only the limits, and how a refusal looks on the wire.
 */
import { create } from "@bufbuild/protobuf";
import { Code, ConnectError } from "@connectrpc/connect";
import {
  type CertifyRequest,
  type CertifyResponse,
  CertifyResponseSchema,
} from "../../core/wire/gen/weft/v1/node_pb.ts";
import type { NodePeer } from "./authenticate.ts";

/** A P-256 request is 300 bytes. */
const MAX_CSR_BYTES = 16_384;
/** What the whole request may be: the CSR, a UID, and room. */
export const MAX_CERTIFY_BYTES = 20_480;
/** Under way at once for one node, so that one cannot keep the signer from the others. */
const MAX_UNDER_WAY = 64;

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

export type Certify = (peer: NodePeer, request: CertifyRequest) => Promise<CertifyResponse>;

export function createCertify(issue: Issue, now: () => number): Certify {
  const underWay = new Map<string, number>();

  return async ({ node }, { csr, workload }) => {
    if (csr.length === 0 || csr.length > MAX_CSR_BYTES)
      throw refusal("csr_malformed", "CSR is empty or too large");
    const before = underWay.get(node) ?? 0;
    if (before >= MAX_UNDER_WAY) throw refusal("too_many_requests", "too many requests at once");
    underWay.set(node, before + 1);
    try {
      const issued = await issue({ node, workload, csr, now: now() });
      const { kind } = issued;
      if (kind === "refused") throw refusal(issued.reason, issued.message);
      if (kind === "unavailable") throw unavailable(issued.reason, issued.message);
      return create(CertifyResponseSchema, { chain: [...issued.chain] });
    } finally {
      const left = (underWay.get(node) ?? 1) - 1;
      if (left === 0) underWay.delete(node);
      else underWay.set(node, left);
    }
  };
}

/** The stable reason travels in `weft-reason`; the code tells generic clients whether to try again. */
function refusal(reason: string, message: string): ConnectError {
  return new ConnectError(message, codeOf(reason), { "weft-reason": reason });
}

/** The node keeps the certificate that it has and asks again. */
function unavailable(reason: string, message: string): ConnectError {
  return new ConnectError(message, Code.Unavailable, { "weft-reason": reason });
}

function codeOf(reason: string): Code {
  if (reason.startsWith("csr_")) return Code.InvalidArgument;
  if (reason === "too_many_requests") return Code.ResourceExhausted;
  // The pod may be known to the operator in a moment.
  return reason === "workload_unknown" ? Code.NotFound : Code.PermissionDenied;
}
