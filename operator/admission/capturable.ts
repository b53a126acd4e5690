/** Which pods of an enrolled namespace the mesh captures, which it leaves alone, and which it must refuse. */
import type { V1Pod } from "@kubernetes/client-node";
import { GATE_NAME } from "./gate-container.ts";

export type Capturable =
  | { readonly kind: "capture" }
  | { readonly kind: "leave"; readonly warning?: string }
  | { readonly kind: "refuse"; readonly reason: string };

const LEAVE: Capturable = { kind: "leave" };
const CAPTURE: Capturable = { kind: "capture" };
const OPT_OUT = "label the pod weft.dev/mesh: disabled to run it outside the mesh";

// Runtimes with a network stack or kernel of their own: a redirect in the pod's namespace does not reach it.
const OWN_KERNEL = /(?:^|[-_.])(?:gvisor|runsc|kata|firecracker)/i;

export function capturable(pod: V1Pod): Capturable {
  const { metadata, spec } = pod;
  if (!spec || metadata?.labels?.["weft.dev/mesh"] === "disabled" || spec.hostNetwork) return LEAVE;
  if (metadata?.annotations?.["kubernetes.io/config.mirror"] !== undefined) {
    return { kind: "leave", warning: "weft: static pods are not captured" };
  }
  return uncapturable(spec) ?? CAPTURE;
}

function uncapturable(spec: NonNullable<V1Pod["spec"]>): Capturable | undefined {
  const os = spec.os?.name ?? spec.nodeSelector?.["kubernetes.io/os"] ?? "linux";
  if (os !== "linux") return refuse(`pods of ${os} cannot be captured; ${OPT_OUT}`);
  const runtime = spec.runtimeClassName ?? "";
  if (OWN_KERNEL.test(runtime)) {
    return refuse(`runtimeClassName ${runtime} has its own network stack; ${OPT_OUT}`);
  }
  if (spec.containers.some(({ name }) => name === GATE_NAME)) {
    return refuse(`the container name ${GATE_NAME} belongs to the mesh`);
  }
  return undefined;
}

function refuse(reason: string): Capturable {
  return { kind: "refuse", reason };
}
