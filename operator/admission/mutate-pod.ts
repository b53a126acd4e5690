/**
 * The JSON Patch that puts `weft-gate` before every other init container, native sidecars included.
 *
 * Idempotent, and says the same at a reinvocation: a gate that others have moved or changed is put
 * back. Pure: the webhook server sends what comes out here.
 */
import type { V1Pod, V1Volume } from "@kubernetes/client-node";
import type { AdmissionVerdict } from "./admission-review.ts";
import { capturable } from "./capturable.ts";
import { GATE_NAME, GATE_VOLUME, gateContainer, gateTampering } from "./gate-container.ts";

/** RFC 6902, the operations that we use. */
export type PatchOperation =
  | { readonly op: "add" | "replace"; readonly path: string; readonly value: unknown }
  | { readonly op: "remove"; readonly path: string };

export function mutatePod(pod: V1Pod, image: string): AdmissionVerdict {
  const found = capturable(pod);
  if (found.kind === "refuse") return { kind: "denied", reasons: [found.reason] };
  if (found.kind === "leave" || !pod.spec) {
    const warnings = found.kind === "leave" && found.warning ? [found.warning] : [];
    return { kind: "allowed", patch: [], warnings };
  }
  const patch = [...volumePatch(pod.spec), ...containerPatch(pod.spec, image)];
  return { kind: "allowed", patch, warnings: [] };
}

function volumePatch(spec: NonNullable<V1Pod["spec"]>): readonly PatchOperation[] {
  const index = spec.volumes?.findIndex(({ name }) => name === GATE_NAME) ?? -1;
  if (!spec.volumes) return [{ op: "add", path: "/spec/volumes", value: [GATE_VOLUME] }];
  if (index < 0) return [{ op: "add", path: "/spec/volumes/-", value: GATE_VOLUME }];
  if (isGateVolume(spec)) return [];
  return [{ op: "replace", path: `/spec/volumes/${index}`, value: GATE_VOLUME }];
}

/** Whether the volume tells the annotation and nothing else; defaults of the API server do not matter. */
export function isGateVolume(spec: NonNullable<V1Pod["spec"]>): boolean {
  const volume = spec.volumes?.find(({ name }) => name === GATE_NAME);
  return volume !== undefined && itemsOf(volume) === itemsOf(GATE_VOLUME);
}

function itemsOf({ downwardAPI }: V1Volume): string {
  const items = downwardAPI?.items?.map(({ path, fieldRef }) => [path, fieldRef?.fieldPath]);
  return JSON.stringify(items ?? "no downward API");
}

function containerPatch(
  spec: NonNullable<V1Pod["spec"]>,
  image: string,
): readonly PatchOperation[] {
  const gate = gateContainer(spec, image);
  const before = spec.initContainers;
  if (!before) return [{ op: "add", path: "/spec/initContainers", value: [gate] }];
  const index = before.findIndex(({ name }) => name === GATE_NAME);
  const found = before[index];
  if (index === 0 && found && gateTampering(found, gate) === undefined) return [];
  const removal: PatchOperation = { op: "remove", path: `/spec/initContainers/${index}` };
  return [...(found ? [removal] : []), { op: "add", path: "/spec/initContainers/0", value: gate }];
}
