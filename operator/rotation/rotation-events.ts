/** What of a rotation is worth an Event on its CARotation, for `kubectl describe`. Pure. */
import type { RotationStatus } from "./rotation-status.ts";

export interface RotationEvent {
  readonly type: "Normal" | "Warning";
  /** CamelCase, stable. */
  readonly reason: string;
  readonly message: string;
}

/** A node that has not followed for so long is named. */
const HELD_UP_MS = 60_000;

export function phaseEvent(
  before: Pick<RotationStatus, "phase" | "aborting"> | undefined,
  { phase, aborting, reason, message }: RotationStatus,
): RotationEvent | undefined {
  if (before?.phase === phase && before.aborting === aborting) return undefined;
  switch (phase) {
    case "Pending":
      return undefined;
    case "Add":
    case "Reissue":
    case "Drop":
      return { type: "Normal", reason: `Rotation${phase}`, message: begun(phase, aborting) };
    case "Complete":
    case "Aborted":
      return { type: "Normal", reason: `Rotation${phase}`, message };
    case "Refused":
      return { type: "Warning", reason: "RotationRefused", message: `${reason}: ${message}` };
  }
}

/** One for each node that holds the phase up. */
export function heldUpEvents(
  { phase, phaseSince, nodes }: RotationStatus,
  now: number,
): readonly (RotationEvent & { readonly node: string })[] {
  if (now - Date.parse(phaseSince) < HELD_UP_MS) return [];
  return nodes
    .filter(({ state }) => state === "Waiting")
    .map(({ name, message }) => ({
      type: "Warning",
      reason: "RotationHeldUp",
      message: `node ${name} holds up ${phase}: ${message}`,
      node: name,
    }));
}

function begun(phase: "Add" | "Reissue" | "Drop", aborting: boolean): string {
  const [wanted, other] = aborting
    ? ["the CA from before", "the new one"]
    : ["the new CA", "the old one"];
  switch (phase) {
    case "Add":
      return `every node learns to trust ${wanted} beside ${other}`;
    case "Reissue":
      return `${wanted} signs, and every node gets new leaves`;
    case "Drop":
      return `${other} is not trusted any more`;
  }
}
