/**
 * The rotation's next step, from what is stored, what is wished, and what the nodes have proven. Pure: whoever asks stores
 * the answer by compare-and-swap, or waits, and asks again.
 *
 *     add ──► reissue ──► drop ──► end        the way back is the same machine with the ends swapped:
 *      │         │          └─► add (trust the old one again)
 *      │         └─► reissue (sign with the old one)
 *      └─► drop (forget the new one)
 *
 * Each phase is proven twice: as it begins, and again once every replica knows it (`settled`).
 */
import type { CaMaterial } from "../key-store.ts";
import {
  type EndedRotation,
  type RotatedAuthority,
  type RotationRecord,
  readEnded,
} from "../rotation-record.ts";
import { type NodeProof, type ProofQuestion, proveNode, type RotatingNode } from "./node-proof.ts";
import {
  dropStandby,
  endsOf,
  finish,
  type Rotating,
  settle,
  signWithStandby,
  turnBack,
  type UnderWay,
} from "./transitions.ts";

export interface RotationWish {
  /** UID of the CARotation, or its name where the source gives none. */
  readonly object: string;
  readonly authority: RotatedAuthority;
  /** Not to be taken back. */
  readonly abort: boolean;
  readonly waivedNodes: readonly string[];
}

export interface StepQuestion {
  readonly material: CaMaterial;
  /** What `readUnderWay` reads from it. */
  readonly underWay: UnderWay;
  /** Of the key store, for messages. */
  readonly place: string;
  readonly trustDomain: string;
  /** Of the bundle that `material` makes. */
  readonly bundleVersion: string;
  /** `undefined` where nobody asks for a rotation (any more). */
  readonly wish: RotationWish | undefined;
  readonly nodes: readonly RotatingNode[];
  /** For how long this very material has been stored, as far as we have seen it. By a clock that never jumps. */
  readonly settledMs: number;
  /** Those who are told outside of the stream (API server, roots file) trust what the material says. */
  readonly isPublished: boolean;
  readonly now: number;
}

export type Step =
  | { readonly kind: "idle" }
  /** A rotation is under way, and the object that asked for it is gone: nothing moves. */
  | { readonly kind: "orphaned"; readonly record: RotationRecord }
  /** A CA has to be made to rotate to. */
  | { readonly kind: "make"; readonly authority: RotatedAuthority }
  | { readonly kind: "store"; readonly next: CaMaterial }
  | WaitingStep
  /** It was aborted before anything was stored. */
  | { readonly kind: "never_begun" }
  | { readonly kind: "ended"; readonly ended: EndedRotation };

export interface WaitingStep {
  readonly kind: "wait";
  readonly record: RotationRecord;
  readonly nodes: readonly NodeProof[];
  readonly waitsFor: "nodes" | "publishing" | "replicas";
}

/**
 * Replicas look at the key store every 5 s: so long one may still hand out the bundle, or sign with the CA, from before,
 * to a node that has proven better already, and then lose the API server or the node, so that nobody hears of it. So
 * what is proven until then counts for nothing but itself: the phase is settled, and proven again.
 */
const SETTLE_MS = 10_000;

export function decideStep(question: StepQuestion): Step {
  const { material, underWay, wish, now } = question;
  const ended = wish && readEnded(material.rotated).find(({ object }) => object === wish.object);
  switch (underWay.kind) {
    case "none":
      if (ended) return { kind: "ended", ended };
      if (!wish) return { kind: "idle" };
      if (wish.abort) return { kind: "never_begun" };
      return { kind: "make", authority: wish.authority };
    case "unreadable":
      return { kind: "store", next: giveUp(material, wish, now) };
    case "exchanged": {
      const { record } = underWay;
      const end = { object: wish?.object ?? record.object, outcome: "exchanged", now } as const;
      return { kind: "store", next: finish(material, endOf(record, end)) };
    }
    case "rotating":
      return ended ? { kind: "ended", ended } : decideRotating(underWay, question);
  }
}

function decideRotating(rotating: Rotating, question: StepQuestion): Step {
  const { record } = rotating;
  const { wish, place, now } = question;
  if (!wish) return { kind: "orphaned", record };
  const options = { place, now };
  if (wish.abort && !record.aborting) return { kind: "store", next: turnBack(rotating, options) };
  const nodes = proofs(record, question, wish);
  const waitsFor = obstacleOf(nodes, record, question);
  if (waitsFor !== undefined) return { kind: "wait", record, nodes, waitsFor };
  if (!record.settled) return { kind: "store", next: settle(rotating) };
  switch (record.phase) {
    case "add":
      return { kind: "store", next: signWithStandby(rotating) };
    case "reissue":
      return { kind: "store", next: dropStandby(rotating, options) };
    case "drop": {
      const outcome = record.aborting ? "aborted" : "complete";
      const end = endOf(record, { object: wish.object, outcome, now });
      return { kind: "store", next: finish(rotating.material, end) };
    }
  }
}

function proofs(
  record: RotationRecord,
  { trustDomain, bundleVersion, nodes }: StepQuestion,
  { waivedNodes }: RotationWish,
): readonly NodeProof[] {
  const asked: ProofQuestion = {
    trustDomain,
    bundleVersion,
    issuer: record.phase === "reissue" ? endsOf(record).target : undefined,
    waivedNodes,
  };
  return nodes.map((node) => proveNode(node, asked));
}

function obstacleOf(
  nodes: readonly NodeProof[],
  { settled }: RotationRecord,
  { isPublished, settledMs }: StepQuestion,
): WaitingStep["waitsFor"] | undefined {
  if (nodes.some(({ state }) => state === "Waiting")) return "nodes";
  if (!isPublished) return "publishing";
  return !settled && settledMs < SETTLE_MS ? "replicas" : undefined;
}

interface End extends Pick<EndedRotation, "object" | "outcome"> {
  readonly now: number;
}

function endOf(record: RotationRecord, { object, outcome, now }: End): EndedRotation {
  const { authority, from, to, startedMs } = record;
  return { authority, from, to, object, startedMs, outcome, endedMs: now };
}

/** What is under way cannot be known any more; what signs and what is trusted stays as it is. */
function giveUp(material: CaMaterial, wish: RotationWish | undefined, now: number): CaMaterial {
  const record: RotationRecord = {
    authority: wish?.authority ?? "root",
    from: "unknown",
    to: "unknown",
    phase: "add",
    aborting: false,
    settled: false,
    object: wish?.object ?? "unknown",
    startedMs: now,
  };
  return finish(material, endOf(record, { object: record.object, outcome: "exchanged", now }));
}
