/** Files with objects in them → one set of objects, and how it differs from the one told before. */
import { contentVersion } from "../compile/resource-version.ts";
import { type KubeChange, type KubeObject, objectKey } from "../resources/kube-object.ts";
import type { SourceError } from "./source.ts";
import { makeTombstone } from "./tombstone.ts";

interface Told {
  readonly object: KubeObject;
  readonly content: string;
}

export class ManifestSet {
  #told: ReadonlyMap<string, Told> = new Map();
  /** Counts the contents seen of each object, as the API server would its specs. */
  readonly #generations = new Map<string, number>();

  /** `files` by name. Of an object that several hold the first by name counts. Deletions come first. */
  replace(files: ReadonlyMap<string, readonly KubeObject[]>): {
    readonly changes: readonly KubeChange[];
    readonly errors: readonly SourceError[];
  } {
    const { wanted, errors } = merge(files);
    const changes: KubeChange[] = [];
    for (const [key, { object }] of this.#told) {
      const isSame = wanted.get(key)?.metadata.uid === object.metadata.uid;
      if (!isSame) changes.push({ kind: "delete", object: makeTombstone(object, object.metadata) });
    }
    const told = new Map<string, Told>();
    for (const [key, object] of wanted) {
      const before = this.#told.get(key);
      const next = { object, content: contentVersion(object) };
      told.set(key, before?.content === next.content ? before : next);
      if (before?.content === next.content) continue;
      changes.push({ kind: "upsert", object: this.#counted(key, object) });
    }
    this.#told = told;
    return { changes, errors };
  }

  #counted(key: string, object: KubeObject): KubeObject {
    const generation = (this.#generations.get(key) ?? 0) + 1;
    this.#generations.set(key, generation);
    const { metadata } = object;
    return metadata.generation > 0 ? object : { ...object, metadata: { ...metadata, generation } };
  }
}

function merge(files: ReadonlyMap<string, readonly KubeObject[]>) {
  const wanted = new Map<string, KubeObject>();
  const origin = new Map<string, string>();
  const errors: SourceError[] = [];
  for (const file of [...files.keys()].toSorted()) {
    for (const object of files.get(file) ?? []) {
      const key = objectKey(object);
      const first = origin.get(key);
      if (first === undefined) {
        wanted.set(key, object);
        origin.set(key, file);
      } else {
        const message = `${key} is already in ${first}, which counts`;
        errors.push({ code: "duplicate_object", place: file, message });
      }
    }
  }
  return { wanted, errors };
}
