/** Whom a node asks about a pod's requests: services of the mesh, called in the pod's own name and from its namespace. */
import { Authorizers } from "./ext-authz/authorizers.ts";
import type { Side } from "./flow/side.ts";
import { openToService } from "./outbound/open-to-service.ts";
import type { OutboundPod } from "./outbound/outbound-pod.ts";
import { RateService } from "./rate-service/rate-service.ts";
import type { Current } from "./state/current.ts";

interface AskedService {
  /** `namespace/name` */
  readonly service: string;
  readonly port: number;
  readonly timeoutMs: number;
}

export function authorizersOf(outbound: () => OutboundPod, current: Current): Authorizers {
  return new Authorizers({
    providerOf: (name) =>
      current.settings()?.authorizationProviders?.find((provider) => provider.name === name),
    open: (asked) => open(outbound(), current, asked),
  });
}

export function rateServiceOf(outbound: () => OutboundPod, current: Current): RateService {
  return new RateService({
    settings: () => current.settings()?.rateLimitService,
    open: (asked) => open(outbound(), current, asked),
  });
}

async function open(
  pod: OutboundPod,
  current: Current,
  { service: ref, port, timeoutMs }: AskedService,
): Promise<Side> {
  const service = current.service(ref);
  if (!service) throw new Error(`there is no Service ${ref}`);
  return openToService(pod, { service, port, timeoutMs });
}
