/** What the calls of all pods of a node have in common: whom they choose from, what they may take up, whom they spare. */
import { Balancers } from "./balance/balancers.ts";
import { EndpointChecks } from "./health/endpoint-checks.ts";
import type { Resilience } from "./outbound/resilience.ts";
import { ServiceSlots, type Slots } from "./outbound/service-slots.ts";
import { EVENT, type ResilienceEvent } from "./resilience/events.ts";
import { Guards } from "./resilience/guards.ts";
import type { Current } from "./state/current.ts";
import type { TrafficOptions } from "./traffic-options.ts";

export interface CallerParts {
  readonly balancers: Balancers;
  readonly slots: Slots;
  readonly resilience: Resilience;
  readonly checks: EndpointChecks;
}

export function createCallerParts(
  current: Current,
  { log, metrics, shares }: Pick<TrafficOptions, "log" | "metrics" | "shares">,
): CallerParts {
  function tell(service: string, event: ResilienceEvent): void {
    metrics.guarded(service, event);
    if (event === EVENT.circuitOpened) log.warn({ service }, "circuit opened");
  }
  return {
    balancers: new Balancers(current, Math.random, shares?.healths),
    slots: shares?.slots ?? new ServiceSlots(),
    resilience: {
      guards: new Guards(shares?.guards),
      tell,
    },
    checks: new EndpointChecks((service, endpoint, isFailing) => {
      const said = isFailing ? "endpoint fails its checks" : "endpoint passes its checks again";
      log.info({ service, endpoint }, said);
    }),
  };
}

/** Forgets Services that are gone. */
export function retainServices(
  { balancers, slots, resilience }: CallerParts,
  current: Current,
): void {
  for (const parts of [balancers, slots, resilience.guards]) {
    parts.retain((ref) => current.service(ref) !== undefined);
  }
}
