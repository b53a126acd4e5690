/**
 * May this node have a certificate for that workload? Then issue it (invariants 4 and 6).
 *
 * A node gets the identities of its own running pods and no others, and the operator's identity goes
 * to nobody. Refusals are logged and counted by the caller. Handed to `operator/distribute` as `issue`.
 */
import { operatorIdentity } from "../../core/model/operator-identity.ts";
import { formatSpiffeId, isSpiffeId, type SpiffeId } from "../../core/model/spiffe-id.ts";
import type { Log } from "../../core/process/log.ts";
import { type CsrRefusal, parseCsr } from "../../core/x509/parse-csr.ts";
import type { Authority } from "./authority.ts";
import { CaError, type CaErrorReason } from "./ca-error.ts";
import type { IssuedChain, LeafRequest } from "./issue-certificate.ts";

export interface KnownWorkload {
  readonly node: string;
  readonly serviceAccount: string;
  readonly namespace: string;
  /** Succeeded, Failed or being gone: no container of it will run again. */
  readonly ended: boolean;
  /** Its Node object was deleted. */
  readonly nodeGone?: boolean;
}

export interface IssuerOptions {
  readonly authority: Pick<Authority, "issueLeaf">;
  readonly findWorkload: (uid: string) => KnownWorkload | undefined;
  readonly trustDomain: () => string;
  readonly leafLifetimeSeconds: () => number;
  readonly log: Log;
}

export interface IssueRequest {
  /** Proven by the caller's token. */
  readonly node: string;
  /** The pod's UID. */
  readonly workload: string;
  /** PKCS#10, DER. */
  readonly csr: Uint8Array;
  readonly now: number;
}

export type IssueRefusal =
  | "workload_unknown"
  | "workload_on_other_node"
  | "workload_ended"
  | "node_gone"
  | "identity_malformed"
  | "identity_reserved"
  | CsrRefusal;

export type IssueResult = ({ readonly kind: "issued" } & IssuedChain) | Refused | Unavailable;

/** The CA itself cannot sign: whoever asks keeps what it has and tries again. */
interface Unavailable {
  readonly kind: "unavailable";
  readonly reason: CaErrorReason;
  readonly message: string;
}

interface Refused {
  readonly kind: "refused";
  readonly reason: IssueRefusal;
  readonly message: string;
}

export interface Issuer {
  issue(request: IssueRequest): IssueResult;
}

export function createIssuer(options: IssuerOptions): Issuer {
  return { issue: (request) => issue(request, options) };
}

function issue(request: IssueRequest, options: IssuerOptions): IssueResult {
  const owner = decideIdentity(request, options);
  if (owner.kind === "refused") return owner;
  const csr = parseCsr(request.csr);
  if (csr.kind === "refused") return csr;
  const { identity } = owner;
  const issued = sign({ publicKey: csr.publicKey, identity, now: request.now }, options);
  if ("kind" in issued) return issued;
  const { node, workload } = request;
  const { notAfterMs } = issued;
  const uri = formatSpiffeId(identity);
  options.log.info({ node, workload, identity: uri, notAfterMs }, "certificate issued");
  return { kind: "issued", chain: issued.chain, notAfterMs };
}

function sign(
  request: Omit<LeafRequest, "lifetimeSeconds">,
  { authority, leafLifetimeSeconds, log }: IssuerOptions,
): IssuedChain | Unavailable {
  try {
    return authority.issueLeaf({ ...request, lifetimeSeconds: leafLifetimeSeconds() });
  } catch (error) {
    if (!(error instanceof CaError)) throw error;
    const { reason } = error;
    log.error({ reason, err: error }, "CA cannot issue");
    return { kind: "unavailable", reason, message: "the CA cannot sign; see the operator's log" };
  }
}

type Decision = { readonly kind: "identity"; readonly identity: SpiffeId } | Refused;

function decideIdentity(request: IssueRequest, options: IssuerOptions): Decision {
  const workload = options.findWorkload(request.workload);
  if (!workload) return refused("workload_unknown", "no pod has this UID");
  if (workload.node !== request.node) {
    return refused("workload_on_other_node", "the pod is not scheduled to the node that asks");
  }
  if (workload.ended) return refused("workload_ended", "the pod has ended");
  if (workload.nodeGone) return refused("node_gone", "the Node of the pod has been deleted");
  const { namespace, serviceAccount } = workload;
  const trustDomain = options.trustDomain();
  const identity = { trustDomain, namespace, serviceAccount };
  if (!isSpiffeId(identity)) {
    return refused("identity_malformed", "the pod's names do not make a SPIFFE ID");
  }
  if (formatSpiffeId(identity) === formatSpiffeId(operatorIdentity(trustDomain))) {
    return refused("identity_reserved", "the operator's identity is never issued to a workload");
  }
  return { kind: "identity", identity };
}

function refused(reason: IssueRefusal, message: string): Refused {
  return { kind: "refused", reason, message };
}
