/**
 * What `weft-gate` asks for, so that the pod keeps the QoS class its author gave it.
 *
 * Init containers run before the others, so whatever the largest container of the pod asks for can be
 * asked for once more without making the pod any bigger.
 * https://kubernetes.io/docs/concepts/workloads/pods/pod-qos/
 */
import type { V1Container, V1Pod } from "@kubernetes/client-node";
import { quantityValue } from "./quantity.ts";

type Amounts = Readonly<Record<string, string>>;

export interface GateResources {
  readonly requests?: Amounts;
  readonly limits?: Amounts;
}

/** Only these two count for QoS. */
const COUNTED = ["cpu", "memory"] as const;

/** Below these Node does not start in time, or at all. */
const LEAST: Readonly<Record<(typeof COUNTED)[number], string>> = { cpu: "100m", memory: "96Mi" };

/**
 * Guaranteed: requests equal limits. Burstable: whatever its containers name, so that quotas that
 * demand a request or limit of every container are met. BestEffort, and pods with resources of their
 * own (`spec.resources`, which then alone decide the class): nothing.
 */
export function gateResources(spec: NonNullable<V1Pod["spec"]>): GateResources | undefined {
  if (isSet(spec.resources?.requests) || isSet(spec.resources?.limits)) return undefined;
  const containers = [...spec.containers, ...(spec.initContainers ?? [])].filter(
    ({ name }) => name !== "weft-gate",
  );
  const limits = amounts(spec.containers, "limits");
  if (containers.every(isGuaranteed)) return { requests: limits, limits };
  const requests = atMost(amounts(containers, "requests"), amounts(containers, "limits"));
  const all = { ...given("requests", requests), ...given("limits", amounts(containers, "limits")) };
  return Object.keys(all).length === 0 ? undefined : all;
}

function isGuaranteed({ resources }: V1Container): boolean {
  return COUNTED.every((name) => {
    const limit = resources?.limits?.[name];
    const request = resources?.requests?.[name] ?? limit;
    if (limit === undefined || request === undefined) return false;
    return quantityValue(limit) > 0 && quantityValue(limit) === quantityValue(request);
  });
}

/** The largest amount that any of the containers names, and no less than Node needs. */
function amounts(containers: readonly V1Container[], field: "requests" | "limits"): Amounts {
  const found = COUNTED.flatMap((name) => {
    const named = containers.flatMap((container) => container.resources?.[field]?.[name] ?? []);
    if (named.length === 0) return [];
    const largest = named.reduce(larger);
    return [[name, field === "limits" ? larger(largest, LEAST[name]) : largest] as const];
  });
  return Object.fromEntries(found);
}

/** A request may not exceed its limit. */
function atMost(requests: Amounts, limits: Amounts): Amounts {
  return Object.fromEntries(
    Object.entries(requests).map(([name, request]) => {
      const limit = limits[name];
      const isTooBig = limit !== undefined && quantityValue(request) > quantityValue(limit);
      return [name, isTooBig ? limit : request];
    }),
  );
}

function larger(a: string, b: string): string {
  return quantityValue(a) >= quantityValue(b) ? a : b;
}

function given(field: "requests" | "limits", found: Amounts): GateResources {
  return Object.keys(found).length === 0 ? {} : { [field]: found };
}

function isSet(found: object | undefined): boolean {
  return found !== undefined && Object.keys(found).length > 0;
}
