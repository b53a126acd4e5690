/** Which rate limits hold on which of one pod's ports? Those of the TrafficPolicies that rule the Services that pick it, where it is read as HTTP. */
import type { HttpPort } from "../../core/model/enrolment.ts";
import type { RateLimit } from "../../core/model/rate-limit.ts";
import type { RateLimitRule } from "../resources/rate-limits.ts";
import type { Service } from "../resources/service.ts";
import type { TrafficPolicy } from "../resources/traffic-policy.ts";

export interface LimitedWorkload {
  /** All that pick it. */
  readonly services: readonly Service[];
  /** Of its containers. */
  readonly portNames: ReadonlyMap<string, number>;
  readonly httpPorts: readonly HttpPort[];
}

/** In an order that does not depend on that of the policies. */
export function compileRateLimits(
  policies: readonly TrafficPolicy[],
  workload: LimitedWorkload,
): readonly RateLimit[] {
  return policies
    .toSorted((a, b) => (a.metadata.name < b.metadata.name ? -1 : 1))
    .flatMap((policy) => policy.rateLimits.flatMap((rule) => compileRule(policy, rule, workload)));
}

/** The rules of a policy by their index that have nothing to hold on at some port of the workload that they mean. */
export function unseenRateLimits(
  policy: TrafficPolicy,
  workload: LimitedWorkload,
): readonly number[] {
  return [...policy.rateLimits.entries()]
    .filter(([, rule]) =>
      meantPorts(policy, rule, workload).some((port) => !isHttp(workload, port)),
    )
    .map(([index]) => index);
}

function compileRule(
  policy: TrafficPolicy,
  rule: RateLimitRule,
  workload: LimitedWorkload,
): readonly RateLimit[] {
  const { namespace, name: policyName } = policy.metadata;
  const { servicePorts: _servicePorts, ...same } = rule;
  const ports = meantPorts(policy, rule, workload).filter((port) => isHttp(workload, port));
  return ports.length === 0 ? [] : [{ policy: `${namespace}/${policyName}`, ports, ...same }];
}

/** The workload's, ascending. */
function meantPorts(
  policy: TrafficPolicy,
  { servicePorts }: RateLimitRule,
  { services, portNames }: LimitedWorkload,
): readonly number[] {
  const ports = services
    .filter(({ name }) => policy.services.includes(name))
    .flatMap(({ declared }) => declared)
    .filter(({ port }) => servicePorts.length === 0 || servicePorts.includes(port))
    .flatMap(({ target }) => (typeof target === "number" ? target : (portNames.get(target) ?? [])));
  return [...new Set(ports)].toSorted((a, b) => a - b);
}

function isHttp({ httpPorts }: LimitedWorkload, port: number): boolean {
  return httpPorts.some((each) => each.port === port);
}
