/**
 * One batch of the stream, all its parts, as one `Changes` or as the reasons why it cannot be applied.
 *
 * Applied together or not at all: one resource that is refused refuses the batch, and is named.
 */
import {
  type Changes,
  type Resource,
  type ResourceKind,
  type ResourceRef,
  resourceKey,
} from "../model/resource.ts";
import { decodeRef, decodeResource } from "./decode-resource.ts";
import { enumKeyOf, RESOURCE_KINDS } from "./enum-table.ts";
import type * as wire from "./gen/weft/v1/node_pb.ts";

/** Why a resource was not applied, or not as it was sent. `kind` is undefined where the wire named one that is not known. */
export interface RefusedResource {
  readonly kind: ResourceKind | undefined;
  readonly name: string;
  readonly reason: string;
}

export type DecodedChanges =
  | {
      readonly kind: "decoded";
      readonly value: Changes;
      /** Policies that this version cannot read: they are applied, and fail closed. */
      readonly unread: readonly RefusedResource[];
    }
  | { readonly kind: "refused"; readonly errors: readonly RefusedResource[] };

export function decodeChanges(parts: readonly wire.ConfigureResponse[]): DecodedChanges {
  const errors: RefusedResource[] = [];
  const unread: RefusedResource[] = [];
  const upserts: Resource[] = [];
  const removals: ResourceRef[] = [];
  const seen = new Set<string>();
  for (const part of parts) {
    for (const resource of part.resources) {
      const decoded = decodeResource(resource);
      if (decoded.kind === "decoded") {
        upserts.push(decoded.value);
        const ref = refOf(decoded.value);
        noteOnce(seen, ref, errors);
        unread.push(...unreadIn(decoded.unread, ref));
      } else {
        const kind = resource.body.case;
        errors.push({ kind, name: resource.name, reason: decoded.reasons.join("; ") });
      }
    }
    for (const removed of part.removed) {
      const decoded = decodeRef(removed);
      if (decoded.kind === "decoded") {
        removals.push(decoded.value);
        noteOnce(seen, decoded.value, errors);
      } else {
        const kind = enumKeyOf(RESOURCE_KINDS, removed.kind);
        errors.push({ kind, name: removed.name, reason: decoded.reasons.join("; ") });
      }
    }
  }
  if (errors.length > 0) return { kind: "refused", errors };
  return { kind: "decoded", value: { upserts, removals }, unread };
}

export function refOf(resource: Resource): ResourceRef {
  return { kind: resource.body.kind, name: resource.name };
}

function unreadIn(
  reasons: readonly string[] | undefined,
  ref: ResourceRef,
): readonly RefusedResource[] {
  return reasons ? [{ ...ref, reason: reasons.join("; ") }] : [];
}

function noteOnce(seen: Set<string>, ref: ResourceRef, errors: RefusedResource[]): void {
  const key = resourceKey(ref);
  if (seen.has(key)) errors.push({ ...ref, reason: "twice in one batch" });
  seen.add(key);
}
