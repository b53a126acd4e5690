/** What rules one pod: the policies that select it, by its labels and its Services, and the ports where they see requests. */
import { type EnrolmentFacts, isMeshed } from "../compile/enrolment.ts";
import { hasLabels, type SelectableWorkload } from "../compile/selects-workload.ts";
import type { Namespace } from "../resources/namespace.ts";
import type { Pod } from "../resources/pod.ts";
import type { Service } from "../resources/service.ts";
import { httpPortsOf } from "./http-of-pod.ts";
import type { NamespacedStore } from "./namespaced-store.ts";
import type { PolicyStore } from "./policy-store.ts";

interface Rulers {
  readonly policies: PolicyStore;
  readonly services: NamespacedStore<Service>;
}

type Ruling = Pick<EnrolmentFacts, "policies" | "requestAuthentications" | "httpPorts">;

const NOTHING: Ruling = { policies: [], requestAuthentications: [], httpPorts: [] };

export function rulingOf(rulers: Rulers, pod: Pod, namespace: Namespace | undefined): Ruling {
  if (!isMeshed(pod, namespace)) return NOTHING;
  const { policies: store, services } = rulers;
  const workload = selectable(rulers, pod);
  const ruling = store.policiesOf(workload);
  const requestAuthentications = store.requestAuthenticationsOf(workload);
  const authenticates = requestAuthentications.length > 0;
  const asks = ruling.map(({ http }) => http);
  return {
    policies: ruling.map(({ policy }) => policy.ref),
    requestAuthentications,
    httpPorts: httpPortsOf(pod, { asks, authenticates, services }),
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
