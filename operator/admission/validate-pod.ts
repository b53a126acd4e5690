/** Whether a pod of an enrolled namespace would start uncaptured: `weft-gate` must come first, and be ours. */
import type { V1Pod } from "@kubernetes/client-node";
import { readExclusions } from "../resources/capture-exclusions.ts";
import { type AdmissionVerdict, ALLOWED } from "./admission-review.ts";
import { capturable } from "./capturable.ts";
import { GATE_NAME, gateContainer, gateTampering } from "./gate-container.ts";
import { isGateVolume } from "./mutate-pod.ts";

export function validatePod(pod: V1Pod, image: string): AdmissionVerdict {
  const found = capturable(pod);
  if (found.kind === "refuse") return { kind: "denied", reasons: [found.reason] };
  if (found.kind === "leave" || !pod.spec) return ALLOWED;
  const { reasons } = readExclusions(pod.metadata?.annotations);
  if (reasons.length > 0) return { kind: "denied", reasons };
  const reason = gateDefect(pod.spec, image);
  return reason === undefined ? ALLOWED : { kind: "denied", reasons: [reason] };
}

function gateDefect(spec: NonNullable<V1Pod["spec"]>, image: string): string | undefined {
  const containers = spec.initContainers ?? [];
  const index = containers.findIndex(({ name }) => name === GATE_NAME);
  const [first] = containers;
  if (index < 0 || !first) {
    return `init container ${GATE_NAME} is missing: the mesh's mutating webhook did not see the pod`;
  }
  if (index > 0) {
    return `init container ${GATE_NAME} must be first, but ${first.name} was put before it: by another webhook, most likely`;
  }
  const tampering = gateTampering(first, gateContainer(spec, image));
  if (tampering !== undefined)
    return `init container ${GATE_NAME} is not as the mesh made it: ${tampering}`;
  return isGateVolume(spec) ? undefined : `volume ${GATE_NAME} is not as the mesh made it`;
}
