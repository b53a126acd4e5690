/** What rules one pod: the policies that select it, by its labels and its Services, and the ports where they see requests. */
import { type EnrolmentFacts, isMeshed } from "../compile/enrolment.ts";
import type { HttpAsk } from "../compile/http-ports.ts";
import { compileRateLimits, type LimitedWorkload } from "../compile/rate-limits.ts";
import { hasLabels, type SelectableWorkload } from "../compile/selects-workload.ts";
import type { Namespace } from "../resources/namespace.ts";
import type { Pod } from "../resources/pod.ts";
import type { Service } from "../resources/service.ts";
import type { TrafficPolicy } from "../resources/traffic-policy.ts";
import { httpPortsOf, servicesOf, tlsPortsOf } from "./http-of-pod.ts";
import type { NamespacedStore } from "./namespaced-store.ts";
import type { PolicyStore } from "./policy-store.ts";

interface Limiting extends Omit<LimitedWorkload, "httpPorts"> {
  readonly policies: readonly TrafficPolicy[];
}

interface Rulers {
  readonly policies: PolicyStore;
  readonly services: NamespacedStore<Service>;
}

type Ruling = Pick<
  EnrolmentFacts,
  "policies" | "requestAuthentications" | "httpPorts" | "tlsPorts" | "rateLimits"
>;

const NOTHING: Ruling = {
  policies: [],
  requestAuthentications: [],
  httpPorts: [],
  tlsPorts: [],
  rateLimits: [],
};
/** Of a rate limit: it holds wherever a Service declares HTTP. */
const ASKS: HttpAsk = { asks: true, ports: [] };

export function rulingOf(rulers: Rulers, pod: Pod, namespace: Namespace | undefined): Ruling {
  if (!isMeshed(pod, namespace)) return NOTHING;
  const { policies: store, services } = rulers;
  const workload = selectable(rulers, pod);
  const ruling = store.policiesOf(workload);
  const requestAuthentications = store.requestAuthenticationsOf(workload);
  const authenticates = requestAuthentications.length > 0;
  const limiting = limitingPolicies(rulers, pod);
  const asks = [...ruling.map(({ http }) => http), ...limiting.policies.map(() => ASKS)];
  const httpPorts = httpPortsOf(pod, { asks, authenticates, services });
  return {
    policies: ruling.map(({ policy }) => policy.ref),
    requestAuthentications,
    httpPorts,
    tlsPorts: ruling.some((policy) => policy.asksServerName) ? tlsPortsOf(services, pod) : [],
    rateLimits: compileRateLimits(limiting.policies, { ...limiting, httpPorts }),
  };
}

/** The TrafficPolicies that limit the pod, by its Services. */
export function limitingPolicies({ policies, services }: Rulers, pod: Pod): Limiting {
  const { namespace, portNames } = pod;
  if (!policies.hasRateLimits(namespace)) return { policies: [], services: [], portNames };
  const own = servicesOf(services, pod);
  return {
    policies: policies
      .trafficRuling(namespace)
      .ruling.filter(
        ({ rateLimits, services: named }) =>
          rateLimits.length > 0 && own.some(({ name }) => named.includes(name)),
      ),
    services: own,
    portNames,
  };
}

export function selectable(
  { policies, services }: Rulers,
  { namespace, labels }: Pod,
): SelectableWorkload {
  const names = policies.hasServiceScopes(namespace)
    ? services
        .inNamespace(namespace)
        .filter(({ selector }) => selector && hasLabels(labels, selector))
        .map(({ name }) => name)
    : [];
  return { namespace, labels, services: names };
}
