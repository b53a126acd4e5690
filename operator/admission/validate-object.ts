/**
 * Whether one of Weft's own objects would be understood: the same parsers as the index runs, before
 * the object is stored. Says the field and the reason; warnings go through to whoever wrote it.
 */
import {
  type ParsedAuthorizationPolicy,
  parseAuthorizationPolicy,
} from "../resources/authorization-policy.ts";
import { parseCaRotation } from "../resources/ca-rotation.ts";
import type { Reason } from "../resources/fields.ts";
import { parseMeshConfig } from "../resources/mesh-config.ts";
import {
  type ParsedPeerAuthentication,
  parsePeerAuthentication,
} from "../resources/peer-authentication.ts";
import {
  type ParsedRequestAuthentication,
  parseRequestAuthentication,
} from "../resources/request-authentication.ts";
import type { ReviewedObject } from "../resources/reviewed-object.ts";
import { type ParsedTrafficPolicy, parseTrafficPolicy } from "../resources/traffic-policy.ts";
import { parseTrustBundle } from "../resources/trust-bundle.ts";
import { type AdmissionRequest, type AdmissionVerdict, ALLOWED } from "./admission-review.ts";

export interface ValidateOptions {
  readonly rootNamespace: string;
  /** What the other objects there are make of one that was understood. */
  readonly review: (object: ReviewedObject) => readonly Reason[];
}

type Parsed =
  | { readonly kind: "accepted"; readonly warnings: readonly Reason[] }
  | { readonly kind: "refused"; readonly reasons: readonly Reason[] };

/** Of so many people read the first; the API server cuts them off at 4096 characters. */
const MAX_WARNINGS = 16;

export function validateObject(
  request: AdmissionRequest,
  options: ValidateOptions,
): AdmissionVerdict {
  // An object that is going away must be able to lose its finalizers, whatever it says.
  const isEnding = recordOf(request.object["metadata"])["deletionTimestamp"] !== undefined;
  const parsed = isEnding ? undefined : parse(named(request), options);
  if (!parsed) return ALLOWED;
  if (parsed.kind === "refused") return { kind: "denied", reasons: parsed.reasons.map(format) };
  return { kind: "allowed", patch: [], warnings: told(parsed.warnings.map(format)) };
}

function told(warnings: readonly string[]): readonly string[] {
  if (warnings.length <= MAX_WARNINGS) return warnings;
  const more = `and ${warnings.length - MAX_WARNINGS + 1} more: see the condition Accepted`;
  return [...warnings.slice(0, MAX_WARNINGS - 1), more];
}

function parse(
  object: Readonly<Record<string, unknown>>,
  options: ValidateOptions,
): Parsed | undefined {
  switch (object["kind"]) {
    case "AuthorizationPolicy":
      return reviewed(parseAuthorizationPolicy(object, options), options);
    case "PeerAuthentication":
      return reviewed(parsePeerAuthentication(object), options);
    case "RequestAuthentication":
      return reviewed(parseRequestAuthentication(object), options);
    case "CARotation":
      return parseCaRotation(object);
    case "MeshConfig":
      return parseMeshConfig(object);
    case "TrustBundle":
      return parseTrustBundle(object);
    case "TrafficPolicy":
      return reviewed(parseTrafficPolicy(object), options);
    default:
      return undefined;
  }
}

function reviewed(
  parsed:
    | ParsedAuthorizationPolicy
    | ParsedPeerAuthentication
    | ParsedRequestAuthentication
    | ParsedTrafficPolicy,
  { review }: ValidateOptions,
): Parsed {
  if (parsed.kind === "refused") return parsed;
  return { kind: "accepted", warnings: [...parsed.warnings, ...review(parsed.value)] };
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
