/** The pod condition `weft.dev/Captured`, from what the pod's node proxy reported. Pure. */
import type { CaptureReport } from "../../core/model/node-report.ts";
import type { Condition } from "./conditions.ts";

export function capturedCondition({ state, reason, message }: CaptureReport): Condition {
  const type = "weft.dev/Captured";
  switch (state) {
    case "captured":
      return { type, status: "True", reason: "Captured", message };
    case "pending":
      return { type, status: "False", reason: camelCase(reason, "Pending"), message };
    case "releasing":
      return { type, status: "False", reason: "Releasing", message };
    case "failed":
      return { type, status: "False", reason: camelCase(reason, "Failed"), message };
  }
}

/** A condition's reason is CamelCase, ours are snake_case: `no_netns` becomes `NoNetns`. */
function camelCase(reason: string, fallback: string): string {
  const words = reason.split(/[^A-Za-z0-9]+/).filter((word) => word !== "");
  const joined = words.map((word) => word.charAt(0).toUpperCase() + word.slice(1)).join("");
  return /^[A-Z]/.test(joined) ? joined : fallback;
}
