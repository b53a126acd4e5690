/**
 * What the control process that owns a node and the one that is to own it next say to each other.
 *
 *   successor: hello → (pods) handed_over ← : received → (it alone holds the run directory's lock) → taken_over
 *
 * The two may be of different versions of Weft, either the newer one. Each passes over kinds and fields that it does not
 * know, so what is new goes only to who has said that version or a later one. The first version said none, and reads
 * Node's serialization alone, which a later Node's may not be; since then all is JSON.
 */
import { serialize } from "node:v8";
import type { KeptPod } from "../channel/kept-descriptors.ts";

/** 0: of before there were versions. */
export const HAND_OVER_VERSION = 1;

export type ToSuccessor =
  /** A captured pod; its descriptors beside it. */
  | { readonly kind: "pod"; readonly pod: Omit<KeptPod, "descriptors"> }
  /** Those were all, and nothing writes to the run directory any more: its lock beside it. */
  | { readonly kind: "handed_over"; readonly pods: number };

export type FromSuccessor =
  | { readonly kind: "hello"; readonly pid: number; readonly version: number }
  | { readonly kind: "alive" }
  /** It has them all: from here on they live if the other dies. */
  | { readonly kind: "received" }
  /** New connections are accepted by its traffic process: the other's may stop. */
  | { readonly kind: "taken_over" };

/** In what a successor of that version can read. */
export function encodeToSuccessor(message: object, version: number): Buffer {
  return version === 0 ? serialize(message) : Buffer.from(JSON.stringify(message));
}

/** `undefined` for what this version does not know, and for a pod that cannot be served by what came beside it. */
export function readToSuccessor(
  message: { readonly kind: string },
  descriptors: readonly number[],
): ToSuccessor | undefined {
  switch (message.kind) {
    case "pod":
      return "pod" in message ? readPod(message.pod, descriptors.length) : undefined;
    case "handed_over":
      return "pods" in message && typeof message.pods === "number"
        ? { kind: "handed_over", pods: message.pods }
        : undefined;
    default:
      return undefined;
  }
}

function readPod(pod: unknown, descriptorCount: number): ToSuccessor | undefined {
  if (typeof pod !== "object" || pod === null) return undefined;
  const { uid, inode, families } = pod as { readonly [field in keyof KeptPod]?: unknown };
  if (typeof uid !== "string" || typeof inode !== "number" || !isFamilies(families)) {
    return undefined;
  }
  if (descriptorCount !== 1 + 3 * families.length) return undefined;
  return { kind: "pod", pod: { uid, inode, families } };
}

function isFamilies(value: unknown): value is KeptPod["families"] {
  return Array.isArray(value) && value.every((family) => family === 4 || family === 6);
}

/** `undefined` for anything else. */
export function parseFromSuccessor(body: Buffer): FromSuccessor | undefined {
  const value = parseJson(body);
  if (typeof value !== "object" || value === null || !("kind" in value)) return undefined;
  switch (value.kind) {
    case "hello": {
      const version = "version" in value ? value.version : 0;
      return "pid" in value && typeof value.pid === "number" && isVersion(version)
        ? { kind: "hello", pid: value.pid, version }
        : undefined;
    }
    case "alive":
    case "received":
    case "taken_over":
      return { kind: value.kind };
    default:
      return undefined;
  }
}

function isVersion(value: unknown): value is number {
  return typeof value === "number" && Number.isSafeInteger(value) && value >= 0;
}

function parseJson(body: Buffer): unknown {
  try {
    return JSON.parse(body.toString("utf8"));
  } catch {
    return undefined;
  }
}
