/** What Weft's own kinds need of `metadata`: who the object is, how old, and its annotations. */
import { type Field, isFields, isObjectOf, member, oneOf, refuse, text } from "./fields.ts";

export interface PolicyMetadata {
  /** "" for cluster-scoped kinds. */
  readonly namespace: string;
  readonly name: string;
  /** "" where the source gives none (files). */
  readonly uid: string;
  /** 0 where the source gives none: older than everything. */
  readonly createdMs: number;
  readonly generation: number;
  readonly labels: Readonly<Record<string, string>>;
}

export interface Envelope {
  readonly metadata: PolicyMetadata;
  readonly annotations: Readonly<Record<string, string>>;
  readonly spec: Field | undefined;
}

const API_VERSION = "weft.dev/v1";

/** The outer shape shared by all kinds of `weft.dev/v1`; `undefined` where not even a name can be read. */
export function parseEnvelope(
  object: Field,
  { kind, namespaced }: { readonly kind: string; readonly namespaced: boolean },
): Envelope | undefined {
  if (!isObjectOf(object, ["apiVersion", "kind", "metadata", "spec", "status"])) return undefined;
  for (const [name, wanted] of [
    ["apiVersion", API_VERSION],
    ["kind", kind],
  ] as const) {
    const field = member(object, name);
    if (field) oneOf(field, [wanted]);
    else object.reasons.push({ field: name, message: `must be ${wanted}` });
  }
  const metadata = parseMetadata(object, namespaced);
  if (!metadata) return undefined;
  const spec = member(object, "spec");
  return { metadata, annotations: stringMap(member(object, "metadata"), "annotations"), spec };
}

function parseMetadata(object: Field, namespaced: boolean): PolicyMetadata | undefined {
  const field = member(object, "metadata") ?? { ...object, value: undefined, path: "metadata" };
  if (!isFields(field.value)) return refuse(field, "must be an object");
  const name = requiredText(field, "name");
  const namespace = namespaced ? requiredText(field, "namespace") : "";
  if (name === undefined || namespace === undefined) return undefined;
  const { uid, creationTimestamp, generation } = field.value;
  return {
    namespace,
    name,
    uid: typeof uid === "string" ? uid : "",
    createdMs: timeOf(creationTimestamp),
    generation: typeof generation === "number" ? generation : 0,
    labels: stringMap(field, "labels"),
  };
}

function requiredText(parent: Field, name: string): string | undefined {
  const field = member(parent, name);
  return field
    ? text(field)
    : refuse({ ...parent, path: `${parent.path}.${name}` }, "must be given");
}

/** Informers hand over dates as `Date`, files and webhooks as text. */
function timeOf(value: unknown): number {
  const ms = value instanceof Date ? value.getTime() : Date.parse(String(value));
  return Number.isNaN(ms) ? 0 : ms;
}

function stringMap(parent: Field | undefined, name: string): Readonly<Record<string, string>> {
  const value = parent && member(parent, name)?.value;
  if (!isFields(value)) return {};
  return Object.fromEntries(
    Object.entries(value).filter((entry): entry is [string, string] => {
      return typeof entry[1] === "string";
    }),
  );
}
