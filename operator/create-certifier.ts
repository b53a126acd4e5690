/** The certifier of this operator: who may have what is the CA's to say, what became of a request is counted and audited. */
import { formatSpiffeId } from "../core/model/spiffe-id.ts";
import type { Log } from "../core/process/log.ts";
import type { Issuer } from "./ca/issue-for-workload.ts";
import { Certifier } from "./distribute/certify.ts";
import { RefusalLog } from "./distribute/refusal-log.ts";
import type { ClusterIndex } from "./index/cluster-index.ts";
import type { OperatorMetrics } from "./operator-metrics.ts";

export interface CreateCertifierOptions {
  readonly issuer: Issuer;
  readonly index: Pick<ClusterIndex, "findWorkload">;
  readonly trustDomain: string;
  readonly metrics: OperatorMetrics;
  readonly log: Log;
}

export function createCertifier({
  issuer,
  index,
  trustDomain,
  metrics,
  log,
}: CreateCertifierOptions): Certifier {
  const refusals = new RefusalLog({
    log,
    identityOf: (uid) => {
      const workload = index.findWorkload(uid);
      return workload && formatSpiffeId({ trustDomain, ...workload });
    },
    now: () => performance.now(),
  });
  const certifier = new Certifier({
    issue: (request) => issuer.issue(request),
    now: Date.now,
    onOutcome: (outcome) => {
      metrics.countCertify(outcome);
      if (outcome.kind === "refused") refusals.write(outcome);
    },
  });
  const help = "Requests for a certificate that wait for their turn";
  metrics.ask("certify_waiting", help, () => certifier.waiting);
  return certifier;
}
