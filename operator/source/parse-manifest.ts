/**
 * The text of a YAML or JSON file → the objects in it that the operator watches, or why there are none.
 *
 * All or nothing: a file with one broken object is a broken file, so that a half-written one never
 * counts. What the API server would fill in (namespace, UID) is filled in here.
 */
import { parseAllDocuments } from "yaml";
import { contentVersion } from "../compile/resource-version.ts";
import { type KubeObject, parseKubeObject } from "../resources/kube-object.ts";
import { asList, asRecord, type RawRecord } from "../resources/narrow.ts";
import { findWatchedKind } from "../resources/watched-kinds.ts";

export type ParsedManifest =
  | {
      readonly kind: "objects";
      readonly objects: readonly KubeObject[];
      /** Kinds of `weft.dev` that do not exist; surely meant otherwise. */
      readonly unknownKinds: readonly string[];
    }
  | { readonly kind: "malformed"; readonly reason: string };

export function parseManifest(text: string): ParsedManifest {
  // Truncated before it is written again: no way to say "no objects", for that the file is deleted.
  if (text.trim() === "") return { kind: "malformed", reason: "file is empty" };
  const values = readYaml(text);
  if (values.kind === "malformed") return values;
  const objects: KubeObject[] = [];
  const unknownKinds: string[] = [];
  for (const raw of values.values.flatMap(itemsOf)) {
    const parsed = parseKubeObject(raw);
    if (parsed.kind === "refused") {
      return { kind: "malformed", reason: `${nameOf(raw)}: ${parsed.reasons.join(", ")}` };
    }
    const { apiVersion, kind } = parsed.value;
    const isOurs = apiVersion.startsWith("weft.dev/");
    if (findWatchedKind(apiVersion, kind)) objects.push(completed(parsed.value));
    else if (isOurs) unknownKinds.push(`${apiVersion} ${kind}`);
  }
  return { kind: "objects", objects, unknownKinds };
}

type Values =
  | { readonly kind: "values"; readonly values: readonly unknown[] }
  | { readonly kind: "malformed"; readonly reason: string };

function readYaml(text: string): Values {
  const values: unknown[] = [];
  for (const document of parseAllDocuments(text)) {
    const [error] = document.errors;
    if (error) return { kind: "malformed", reason: firstLine(error.message) };
    try {
      // Throws on more aliases than 100: a few lines can stand for gigabytes.
      const value: unknown = document.toJS({ maxAliasCount: 100 });
      if (value !== null) values.push(value);
    } catch (error) {
      const reason = Error.isError(error) ? error.message : String(error);
      return { kind: "malformed", reason: firstLine(reason) };
    }
  }
  return { kind: "values", values };
}

/** `kind: List`, and the typed lists that `kubectl get -o yaml` of old wrote. */
function itemsOf(value: unknown): readonly unknown[] {
  const raw = asRecord(value);
  const isList = typeof raw?.["kind"] === "string" && raw["kind"].endsWith("List");
  return isList ? (asList(raw["items"]) ?? []) : [value];
}

function completed(object: KubeObject): KubeObject {
  const { apiVersion, kind, metadata } = object;
  const isNamespaced = findWatchedKind(apiVersion, kind)?.namespaced === true;
  const namespace = isNamespaced ? metadata.namespace || "default" : "";
  const uid = metadata.uid || `file-${contentVersion([kind, namespace, metadata.name])}`;
  return { ...object, metadata: { ...metadata, namespace, uid } };
}

function nameOf(raw: unknown): string {
  const record: RawRecord = asRecord(raw) ?? {};
  const name = asRecord(record["metadata"])?.["name"];
  return `${String(record["kind"])} ${String(name)}`;
}

function firstLine(text: string): string {
  return text.split("\n", 1)[0] ?? "";
}
