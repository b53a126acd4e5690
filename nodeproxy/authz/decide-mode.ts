/**
 * Does the port take this connection as it came: with a proven identity, or as plaintext?
 *
 * Asked before `decide()`, for plaintext and tunnel alike; ALLOW policies cannot open a STRICT port.
 * Probes of kubelet do not come here: the node proxy performs them itself.
 */
import { type MtlsModes, modeOfPort } from "../../core/model/mtls-modes.ts";
import type { Attempt } from "./attempt.ts";
import type { Denial } from "./verdict.ts";

export type ModeVerdict = { readonly kind: "pass" } | Denial;

const PASS: ModeVerdict = { kind: "pass" };

/** `modes` is undefined where nothing is known about the workload, which denies. */
export function decideMode(
  modes: MtlsModes | undefined,
  { peer, destinationPort }: Pick<Attempt, "peer" | "destinationPort">,
): ModeVerdict {
  if (!modes) return { kind: "deny", reason: "policy_unknown" };
  const isRefused = !peer && modeOfPort(modes, destinationPort) === "STRICT";
  return isRefused ? { kind: "deny", reason: "plaintext_refused" } : PASS;
}
