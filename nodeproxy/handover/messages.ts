/**
 * What the control process that owns a node and the one that is to own it next say to each other.
 *
 *   successor: hello → (pods) handed_over ← : received → (it alone holds the run directory's lock) → taken_over
 */
import type { KeptPod } from "../channel/kept-descriptors.ts";

export type ToSuccessor =
  /** A captured pod; its descriptors beside it. */
  | { readonly kind: "pod"; readonly pod: Omit<KeptPod, "descriptors"> }
  /** Those were all, and nothing writes to the run directory any more: its lock beside it. */
  | { readonly kind: "handed_over"; readonly pods: number };

export type FromSuccessor =
  | { readonly kind: "hello"; readonly pid: number }
  | { readonly kind: "alive" }
  /** It has them all: from here on they live if the other dies. */
  | { readonly kind: "received" }
  /** New connections are accepted by its traffic process: the other's may stop. */
  | { readonly kind: "taken_over" };

/** `undefined` for anything else. */
export function parseFromSuccessor(body: Buffer): FromSuccessor | undefined {
  const value = parseJson(body);
  if (typeof value !== "object" || value === null || !("kind" in value)) return undefined;
  switch (value.kind) {
    case "hello":
      return "pid" in value && typeof value.pid === "number"
        ? { kind: "hello", pid: value.pid }
        : undefined;
    case "alive":
    case "received":
    case "taken_over":
      return { kind: value.kind };
    default:
      return undefined;
  }
}

function parseJson(body: Buffer): unknown {
  try {
    return JSON.parse(body.toString("utf8"));
  } catch {
    return undefined;
  }
}
