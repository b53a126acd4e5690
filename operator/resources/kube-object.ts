/**
 * A Kubernetes object of any kind as a source delivers it: its metadata checked, the rest still raw.
 *
 * Both sources make these with `parseKubeObject`; the parser of each kind reads `spec`, `status` and
 * the other fields. Nothing here knows a kind.
 */
import { asRecord, asText, asTexts, type RawRecord } from "./narrow.ts";

export interface KubeObject {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: ObjectMeta;
  readonly spec?: unknown;
  readonly status?: unknown;
  /** Kinds without a spec (EndpointSlice) have their fields here. */
  readonly [field: string]: unknown;
}

export interface ObjectMeta {
  /** "" for an object of the cluster. */
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
  readonly resourceVersion: string;
  readonly generation: number;
  /** RFC 3339, or "" where the object has none. */
  readonly creationTimestamp: string;
  readonly deletionTimestamp: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
  readonly ownerReferences: readonly OwnerReference[];
}

export interface OwnerReference {
  readonly kind: string;
  readonly name: string;
  readonly controller: boolean;
}

/** What a source says: one object is there (again), or gone. */
export interface KubeChange {
  readonly kind: "upsert" | "delete";
  readonly object: KubeObject;
}

export type Parsed<Value> =
  | { readonly kind: "accepted"; readonly value: Value }
  | { readonly kind: "refused"; readonly reasons: readonly string[] };

export function refused(...reasons: readonly string[]): {
  readonly kind: "refused";
  readonly reasons: readonly string[];
} {
  return { kind: "refused", reasons };
}

// An object's name is at most a DNS subdomain for the kinds we read; no slash and no space, so it can stand in keys.
const NAME = /^[a-z0-9](?:[a-z0-9.:-]{0,251}[a-z0-9])?$/;

/** Checks apiVersion, kind and metadata; everything else is passed on as it is. */
export function parseKubeObject(value: unknown): Parsed<KubeObject> {
  const raw = asRecord(value);
  if (!raw) return refused("not an object");
  const apiVersion = asText(raw["apiVersion"]);
  const kind = asText(raw["kind"]);
  const rawMeta = asRecord(raw["metadata"]);
  if (apiVersion === undefined) return refused("apiVersion is missing");
  if (kind === undefined) return refused("kind is missing");
  if (!rawMeta) return refused("metadata is missing");
  const metadata = parseMeta(rawMeta);
  if (metadata.kind === "refused") return metadata;
  return { kind: "accepted", value: { ...raw, apiVersion, kind, metadata: metadata.value } };
}

/** `Kind namespace/name`: one text an object, whichever source it came from. */
export function objectKey({ kind, metadata }: KubeObject): string {
  return `${kind} ${metadata.namespace}/${metadata.name}`;
}

function parseMeta(raw: RawRecord): Parsed<ObjectMeta> {
  const name = asText(raw["name"]);
  const namespace = raw["namespace"] ?? "";
  const labels = asTexts(raw["labels"] ?? {});
  const annotations = asTexts(raw["annotations"] ?? {});
  if (name === undefined || !NAME.test(name)) return refused("metadata.name is not a valid name");
  if (typeof namespace !== "string" || (namespace !== "" && !NAME.test(namespace))) {
    return refused("metadata.namespace is not a valid name");
  }
  if (!labels) return refused("metadata.labels must be a map of strings");
  if (!annotations) return refused("metadata.annotations must be a map of strings");
  return {
    kind: "accepted",
    value: { namespace, name, labels, annotations, ...parseHistory(raw) },
  };
}

function parseHistory(raw: RawRecord) {
  return {
    uid: asText(raw["uid"]) ?? "",
    resourceVersion: asText(raw["resourceVersion"]) ?? "",
    generation: typeof raw["generation"] === "number" ? raw["generation"] : 0,
    creationTimestamp: asTime(raw["creationTimestamp"]),
    deletionTimestamp: asTime(raw["deletionTimestamp"]),
    ownerReferences: parseOwners(raw["ownerReferences"]),
  };
}

function parseOwners(value: unknown): readonly OwnerReference[] {
  if (!Array.isArray(value)) return [];
  return value.flatMap((entry) => {
    const owner = asRecord(entry);
    const kind = asText(owner?.["kind"]);
    const name = asText(owner?.["name"]);
    if (kind === undefined || name === undefined) return [];
    return [{ kind, name, controller: owner?.["controller"] === true }];
  });
}

/** YAML readers may make a Date of an unquoted time. */
function asTime(value: unknown): string {
  if (value instanceof Date) return value.toISOString();
  return asText(value) ?? "";
}
