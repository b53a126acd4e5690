/**
 * One batch as the messages that carry it: parts of at most a mebibyte, all of one nonce, `more` on
 * every part but the last.
 */
import { create, toBinary } from "@bufbuild/protobuf";
import type { Changes, Resource } from "../../core/model/resource.ts";
import { encodeRef, encodeResource } from "../../core/wire/encode-resource.ts";
import {
  type ConfigureResponse,
  ConfigureResponseSchema,
  ResourceSchema,
  type Resource as WireResource,
} from "../../core/wire/gen/weft/v1/node_pb.ts";

const MAX_PART_BYTES = 1_048_576;
/** Below the 4 MiB that a node reads. */
export const MAX_RESOURCE_BYTES = 3_145_728;
// A reference is a kind and a name of at most 512 bytes.
const REFS_A_PART = 2_000;

interface Encoded {
  readonly message: WireResource;
  readonly bytes: number;
}

// Every node gets the same resource objects, so each is encoded once for all.
const encoded = new WeakMap<Resource, Encoded>();

export function sizeOfResource(resource: Resource): number {
  return encodeOnce(resource).bytes;
}

/** At least one part, also for an empty batch. */
export function splitBatch(nonce: bigint, { upserts, removals }: Changes): ConfigureResponse[] {
  const parts: ConfigureResponse[] = [];
  let resources: WireResource[] = [];
  let bytes = 0;
  for (const resource of upserts) {
    const next = encodeOnce(resource);
    if (resources.length > 0 && bytes + next.bytes > MAX_PART_BYTES) {
      parts.push(create(ConfigureResponseSchema, { nonce, resources, more: true }));
      resources = [];
      bytes = 0;
    }
    resources.push(next.message);
    bytes += next.bytes;
  }
  if (resources.length > 0) {
    parts.push(create(ConfigureResponseSchema, { nonce, resources, more: true }));
  }
  for (let start = 0; start < removals.length; start += REFS_A_PART) {
    const removed = removals.slice(start, start + REFS_A_PART).map(encodeRef);
    parts.push(create(ConfigureResponseSchema, { nonce, removed, more: true }));
  }
  const last = parts.at(-1);
  if (last === undefined) return [create(ConfigureResponseSchema, { nonce })];
  last.more = false;
  return parts;
}

function encodeOnce(resource: Resource): Encoded {
  const known = encoded.get(resource);
  if (known !== undefined) return known;
  const message = encodeResource(resource);
  const fresh = { message, bytes: toBinary(ResourceSchema, message).length };
  encoded.set(resource, fresh);
  return fresh;
}
