/**
 * The entries `rotation` and `rotated` of the key store: how far the rotation under way is, and which have ended. Whoever
 * becomes leader goes on from what they say. What cannot be read is told apart from what is not there; never throws.
 */

export type RotatedAuthority = "root" | "intermediate";

/**
 * `add`: both roots are trusted, the old CA signs. `reissue`: both are trusted, the new one signs. `drop`: only what leads
 * to the new one is trusted. On the way back the old one is what is gone to, so old and new change places.
 */
export type RotationPhase = "add" | "reissue" | "drop";

export interface RotationRecord {
  readonly authority: RotatedAuthority;
  /** Fingerprint of the certificate that signed when the rotation began. */
  readonly from: string;
  /** Of the one that was made for it. */
  readonly to: string;
  readonly phase: RotationPhase;
  /** It goes back, for good. */
  readonly aborting: boolean;
  /** No replica hands out what was before this phase any more; nodes prove that they follow it once again. */
  readonly settled: boolean;
  /** Which CARotation began it: its UID, or its name where the source gives none. */
  readonly object: string;
  /** Milliseconds since the epoch, by the clock of whoever began it. */
  readonly startedMs: number;
}

export type ReadRotation =
  | { readonly kind: "none" }
  | ({ readonly kind: "rotating" } & RotationRecord)
  | { readonly kind: "unreadable" };

export interface EndedRotation extends Omit<RotationRecord, "phase" | "aborting" | "settled"> {
  /** `exchanged`: somebody put another CA into the key store meanwhile. */
  readonly outcome: "complete" | "aborted" | "exchanged";
  readonly endedMs: number;
}

/** So many are remembered: a source without a status asks for each of them again after every start. */
const MAX_ENDED = 64;

const PHASES: readonly string[] = ["add", "reissue", "drop"] satisfies RotationPhase[];
const OUTCOMES: readonly string[] = [
  "complete",
  "aborted",
  "exchanged",
] satisfies EndedRotation["outcome"][];

export function readRotation(text: string | undefined): ReadRotation {
  if (text === undefined) return { kind: "none" };
  const value = parseJson(text);
  if (!isRecord(value)) return { kind: "unreadable" };
  // An operator from before there was `settled` leaves it out.
  return { ...value, settled: value.settled === true, kind: "rotating" };
}

export function formatRotation(record: RotationRecord): string {
  const { authority, from, to, phase, aborting, settled, object, startedMs } = record;
  return JSON.stringify({ authority, from, to, phase, aborting, settled, object, startedMs });
}

/** The latest last. What cannot be read has not been. */
export function readEnded(text: string | undefined): readonly EndedRotation[] {
  const list = text === undefined ? [] : parseJson(text);
  return Array.isArray(list) ? list.filter(isEnded) : [];
}

export function appendEnded(text: string | undefined, ended: EndedRotation): string {
  return JSON.stringify([...readEnded(text), ended].slice(-MAX_ENDED));
}

function isRecord(value: unknown): value is RotationRecord {
  const { phase, aborting } = fieldsOf(value);
  const hasPhase = typeof phase === "string" && PHASES.includes(phase);
  return isBegun(value) && hasPhase && typeof aborting === "boolean";
}

function isEnded(value: unknown): value is EndedRotation {
  const { outcome, endedMs } = fieldsOf(value);
  const hasOutcome = typeof outcome === "string" && OUTCOMES.includes(outcome);
  return isBegun(value) && hasOutcome && typeof endedMs === "number";
}

function isBegun(value: unknown): boolean {
  const { authority, from, to, object, startedMs } = fieldsOf(value);
  return (
    (authority === "root" || authority === "intermediate") &&
    [from, to, object].every((text) => typeof text === "string" && text !== "") &&
    typeof startedMs === "number"
  );
}

function fieldsOf(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null ? { ...value } : {};
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
