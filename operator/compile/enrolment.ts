/** Is a pod in the mesh, and what must its node do for it? */
import type { Enrolment, HttpPort } from "../../core/model/enrolment.ts";
import type { MtlsModes } from "../../core/model/mtls-modes.ts";
import type { RateLimit } from "../../core/model/rate-limit.ts";
import type { Namespace } from "../resources/namespace.ts";
import type { Pod } from "../resources/pod.ts";

/**
 * The namespace's label says yes, the pod's does not say no. Never a pod of the host's network, since
 * its namespace is the host's. Whether it still runs is not asked here.
 */
export function isMeshed(pod: Pod, namespace: Namespace | undefined): boolean {
  return namespace?.enabled === true && !pod.optedOut && !pod.hostNetwork && pod.node !== "";
}

export interface EnrolmentFacts {
  readonly namespace: Namespace | undefined;
  readonly modes: MtlsModes;
  /** `namespace/name` of the policies that select the pod, in any order. */
  readonly policies: readonly string[];
  /** `namespace/name` of the RequestAuthentications that select the pod, in any order. */
  readonly requestAuthentications: readonly string[];
  /** Ascending. */
  readonly httpPorts: readonly HttpPort[];
  /** Ascending. */
  readonly tlsPorts: readonly number[];
  readonly rateLimits: readonly RateLimit[];
  readonly nodeAddresses: readonly string[];
  readonly zone: string;
  /** Of the cluster's DNS, where that is outside the mesh. */
  readonly dnsAddresses: readonly string[];
}

/** `undefined` for a pod that is not, not yet or no longer to be captured. */
export function compileEnrolment(pod: Pod, facts: EnrolmentFacts): Enrolment | undefined {
  if (!isMeshed(pod, facts.namespace) || pod.ended || pod.addresses.length === 0) return undefined;
  const { uid, namespace, name, serviceAccount, addresses, netnsPath, probes, owner } = pod;
  const exclusions = { ...pod.exclusions, dnsAddresses: facts.dnsAddresses };
  return {
    uid,
    namespace,
    name,
    serviceAccount,
    addresses,
    netnsPath,
    policies: facts.policies.toSorted(),
    ...(facts.requestAuthentications.length === 0
      ? {}
      : { requestAuthentications: facts.requestAuthentications.toSorted() }),
    modes: facts.modes,
    ...(facts.httpPorts.length === 0 ? {} : { httpPorts: facts.httpPorts }),
    ...(facts.tlsPorts.length === 0 ? {} : { tlsPorts: facts.tlsPorts }),
    ...(facts.rateLimits.length === 0 ? {} : { rateLimits: facts.rateLimits }),
    probes,
    nodeAddresses: facts.nodeAddresses,
    exclusions,
    owner,
    zone: facts.zone,
  };
}
