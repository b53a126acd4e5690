/**
 * Reads CARotation: somebody wants the mesh's root or intermediate replaced. What has become of it is in its status,
 * which the operator writes; where the rotation really is, only the key store tells.
 */
import {
  type Field,
  isObjectOf,
  listOf,
  member,
  oneOf,
  type Reason,
  refuse,
  rootField,
  text,
} from "./fields.ts";
import { asRecord, asText, type RawRecord } from "./narrow.ts";
import { type PolicyMetadata, parseEnvelope } from "./policy-metadata.ts";

export interface CaRotation {
  readonly metadata: PolicyMetadata;
  readonly authority: "root" | "intermediate";
  readonly abort: boolean;
  /** Names of nodes that are not waited for. */
  readonly waivedNodes: readonly string[];
}

export type ParsedCaRotation =
  | { readonly kind: "accepted"; readonly value: CaRotation; readonly warnings: readonly Reason[] }
  | { readonly kind: "refused"; readonly reasons: readonly Reason[] };

export type CaRotationPhase =
  | "Pending"
  | "Add"
  | "Reissue"
  | "Drop"
  | "Complete"
  | "Aborted"
  | "Refused";

/** The part of a status that whoever leads next goes on from. */
export interface CaRotationProgress {
  readonly phase: CaRotationPhase;
  readonly aborting: boolean;
  readonly to: string;
  /** RFC 3339; "" where not there. */
  readonly startedAt: string;
  readonly phaseSince: string;
  readonly finishedAt: string;
}

const PHASES: readonly CaRotationPhase[] = [
  "Pending",
  "Add",
  "Reissue",
  "Drop",
  "Complete",
  "Aborted",
  "Refused",
];
const MAX_WAIVED = 1000;

export function parseCaRotation(object: unknown): ParsedCaRotation {
  const reasons: Reason[] = [];
  const envelope = parseEnvelope(rootField(object, reasons), {
    kind: "CARotation",
    namespaced: false,
  });
  if (!envelope) return { kind: "refused", reasons };
  const { metadata, spec } = envelope;
  const field = spec ?? { value: undefined, path: "spec", reasons };
  isObjectOf(field, ["authority", "abort", "waivedNodes"]);
  const authority = readAuthority(field);
  const waivedNodes = listOf(field, "waivedNodes", text);
  if (waivedNodes.length > MAX_WAIVED) {
    reasons.push({ field: "spec.waivedNodes", message: `at most ${MAX_WAIVED} nodes` });
  }
  const value = { metadata, authority: authority ?? "root", abort: readAbort(field), waivedNodes };
  return reasons.length > 0
    ? { kind: "refused", reasons }
    : { kind: "accepted", value: { ...value }, warnings: [] };
}

/** `undefined` where the operator has not written one yet. */
export function parseCaRotationProgress(status: unknown): CaRotationProgress | undefined {
  const raw = asRecord(status);
  const phase = PHASES.find((known) => known === raw?.["phase"]);
  if (!raw || !phase) return undefined;
  return {
    phase,
    aborting: raw["aborting"] === true,
    to: asText(raw["to"]) ?? "",
    startedAt: timeOf(raw, "startedAt"),
    phaseSince: timeOf(raw, "phaseSince"),
    finishedAt: timeOf(raw, "finishedAt"),
  };
}

function timeOf(raw: RawRecord, name: string): string {
  const value = raw[name];
  return value instanceof Date ? value.toISOString() : (asText(value) ?? "");
}

function readAuthority(spec: Field): CaRotation["authority"] | undefined {
  const field = member(spec, "authority");
  if (field) return oneOf(field, ["root", "intermediate"] as const);
  return refuse({ ...spec, path: "spec.authority" }, "must be given");
}

function readAbort(spec: Field): boolean {
  const field = member(spec, "abort");
  if (!field) return false;
  if (typeof field.value !== "boolean") refuse(field, "must be true or false");
  return field.value === true;
}
