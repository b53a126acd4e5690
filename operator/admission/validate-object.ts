/**
 * Whether one of Weft's own objects would be understood: the same parsers as the index runs, before
 * the object is stored. Says the field and the reason; warnings go through to whoever wrote it.
 */
import { parseAuthorizationPolicy } from "../resources/authorization-policy.ts";
import { parseCaRotation } from "../resources/ca-rotation.ts";
import type { Reason } from "../resources/fields.ts";
import { parseMeshConfig } from "../resources/mesh-config.ts";
import { parsePeerAuthentication } from "../resources/peer-authentication.ts";
import { parseTrafficPolicy } from "../resources/traffic-policy.ts";
import { parseTrustBundle } from "../resources/trust-bundle.ts";
import { type AdmissionRequest, type AdmissionVerdict, ALLOWED } from "./admission-review.ts";

type Parsed =
  | { readonly kind: "accepted"; readonly warnings: readonly Reason[] }
  | { readonly kind: "refused"; readonly reasons: readonly Reason[] };

export function validateObject(
  request: AdmissionRequest,
  options: { readonly rootNamespace: string },
): AdmissionVerdict {
  // An object that is going away must be able to lose its finalizers, whatever it says.
  const isEnding = recordOf(request.object["metadata"])["deletionTimestamp"] !== undefined;
  const parsed = isEnding ? undefined : parse(named(request), options);
  if (!parsed) return ALLOWED;
  if (parsed.kind === "refused") return { kind: "denied", reasons: parsed.reasons.map(format) };
  return { kind: "allowed", patch: [], warnings: parsed.warnings.map(format) };
}

function parse(
  object: Readonly<Record<string, unknown>>,
  options: { readonly rootNamespace: string },
): Parsed | undefined {
  switch (object["kind"]) {
    case "AuthorizationPolicy":
      return parseAuthorizationPolicy(object, options);
    case "PeerAuthentication":
      return parsePeerAuthentication(object);
    case "CARotation":
      return parseCaRotation(object);
    case "MeshConfig":
      return parseMeshConfig(object);
    case "TrustBundle":
      return parseTrustBundle(object);
    case "TrafficPolicy":
      return parseTrafficPolicy(object);
    default:
      return undefined;
  }
}

/** With `generateName` the API server makes the name only after admission. */
function named({ object, namespace }: AdmissionRequest): Readonly<Record<string, unknown>> {
  const metadata = recordOf(object["metadata"]);
  const name = metadata["name"] ?? metadata["generateName"];
  const inNamespace = namespace === "" ? {} : { namespace };
  return { ...object, metadata: { ...inNamespace, ...metadata, name } };
}

function format({ field, message }: Reason): string {
  return `${field}: ${message}`;
}

function recordOf(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null ? { ...value } : {};
}
