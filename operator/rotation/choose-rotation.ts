/**
 * Which CARotation is to be moved on? One at a time: the one whose rotation is under way, or the oldest that has not ended.
 * Pure; what is under way and what has ended the key store says, since a status may be lost.
 */
import type { StoredRotations } from "../ca/rotation/rotation-engine.ts";
import type { EndedRotation } from "../ca/rotation-record.ts";
import {
  type CaRotation,
  type CaRotationProgress,
  parseCaRotation,
  parseCaRotationProgress,
} from "../resources/ca-rotation.ts";
import type { KubeObject } from "../resources/kube-object.ts";

export interface HeldRotation {
  /** UID, or the name where the source gives none. */
  readonly key: string;
  readonly object: KubeObject;
  readonly rotation: CaRotation | undefined;
  /** Why it cannot be read; "" where it can. */
  readonly refusal: string;
  readonly progress: CaRotationProgress | undefined;
}

export interface ChosenRotations {
  readonly active: HeldRotation | undefined;
  /** Those that have to wait for it. */
  readonly waiting: readonly HeldRotation[];
  /** The key store says so, their status does not yet. */
  readonly ended: readonly { readonly held: HeldRotation; readonly ended: EndedRotation }[];
  readonly refused: readonly HeldRotation[];
}

export function holdRotation(object: KubeObject): HeldRotation {
  const parsed = parseCaRotation(object);
  const { uid, name } = object.metadata;
  const reasons = parsed.kind === "refused" ? parsed.reasons : [];
  return {
    key: uid === "" ? name : uid,
    object,
    rotation: parsed.kind === "accepted" ? parsed.value : undefined,
    refusal: reasons.map(({ field, message }) => `${field}: ${message}`).join("; "),
    progress: parseCaRotationProgress(object.status),
  };
}

export function isFinished({ progress }: HeldRotation): boolean {
  return progress !== undefined && ["Complete", "Aborted", "Refused"].includes(progress.phase);
}

export function chooseRotation(
  all: readonly HeldRotation[],
  { underWay, ended }: StoredRotations,
): ChosenRotations {
  const open = all.filter((held) => !isFinished(held)).toSorted(byAge);
  const over = open.flatMap((held) => {
    const end = ended.find(({ object }) => object === held.key);
    return end ? [{ held, ended: end }] : [];
  });
  const refused = open.filter(({ rotation }) => !rotation);
  const wanted = open.filter((held) => held.rotation && !over.some((entry) => entry.held === held));
  const active = underWay
    ? (wanted.find(({ key }) => key === underWay.object) ??
      wanted.find(({ progress }) => progress?.to === underWay.to) ??
      wanted.find(({ rotation }) => rotation?.authority === underWay.authority))
    : wanted[0];
  return { active, waiting: wanted.filter((held) => held !== active), ended: over, refused };
}

function byAge(one: HeldRotation, other: HeldRotation): number {
  const older = (one.rotation?.metadata.createdMs ?? 0) - (other.rotation?.metadata.createdMs ?? 0);
  return older !== 0 ? older : one.object.metadata.name < other.object.metadata.name ? -1 : 1;
}
