/** AdmissionReview of admission.k8s.io/v1: reads the request, writes the response. Decides nothing. */
import type { PatchOperation } from "./mutate-pod.ts";

export type AdmissionVerdict =
  | {
      readonly kind: "allowed";
      readonly patch: readonly PatchOperation[];
      /** Shown to whoever made the request. */
      readonly warnings: readonly string[];
    }
  | { readonly kind: "denied"; readonly reasons: readonly string[] };

export const ALLOWED: AdmissionVerdict = { kind: "allowed", patch: [], warnings: [] };

export interface AdmissionRequest {
  /** Of the request, not of the object. */
  readonly uid: string;
  readonly operation: string;
  readonly namespace: string;
  readonly object: Readonly<Record<string, unknown>>;
}

/** `undefined` for what is no AdmissionReview of version v1 with an object. */
export function parseAdmissionReview(text: string): AdmissionRequest | undefined {
  const review = parseJson(text);
  if (!isRecord(review) || review["apiVersion"] !== "admission.k8s.io/v1") return undefined;
  const { request } = review;
  if (!isRecord(request) || typeof request["uid"] !== "string") return undefined;
  const { uid, operation, namespace, object } = request;
  if (!isRecord(object)) return undefined;
  return {
    uid,
    operation: typeof operation === "string" ? operation : "",
    namespace: typeof namespace === "string" ? namespace : "",
    object,
  };
}

export function formatAdmissionReview(uid: string, verdict: AdmissionVerdict): string {
  const response =
    verdict.kind === "denied"
      ? {
          uid,
          allowed: false,
          status: { code: 403, reason: "Forbidden", message: message(verdict.reasons) },
        }
      : { uid, allowed: true, ...patchFields(verdict.patch), ...warningFields(verdict.warnings) };
  return JSON.stringify({ apiVersion: "admission.k8s.io/v1", kind: "AdmissionReview", response });
}

function message(reasons: readonly string[]): string {
  return reasons.join("; ");
}

function patchFields(patch: readonly PatchOperation[]): object {
  if (patch.length === 0) return {};
  return { patchType: "JSONPatch", patch: Buffer.from(JSON.stringify(patch)).toString("base64") };
}

// AdmissionResponse.warnings: "Individual warnings may be truncated to 256 characters", 4096 in all.
function warningFields(warnings: readonly string[]): object {
  return warnings.length === 0 ? {} : { warnings: warnings.map((text) => text.slice(0, 256)) };
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
