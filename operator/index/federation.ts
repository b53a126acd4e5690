/**
 * Whose callers are believed beside the mesh's own: the TrustBundle objects, joined to one bundle for each foreign
 * trust domain.
 *
 * Several objects may name one trust domain: the roots of all of them count, so that a foreign root can be
 * exchanged by an object that comes before the other goes. Never says anything about the mesh's own trust domain.
 */
import type { TrustBundle } from "../../core/model/trust-bundle.ts";
import { compileTrustBundle } from "../compile/trust-bundle.ts";
import type { KubeObject } from "../resources/kube-object.ts";
import { type ParsedTrustBundle, parseTrustBundle } from "../resources/trust-bundle.ts";
import type { NodeTables } from "./node-tables.ts";

export interface HeldTrustBundle {
  readonly object: KubeObject;
  readonly parsed: ParsedTrustBundle;
}

/** Of all objects for one trust domain; what is beyond, in the order of the objects' names, does not count. */
const MAX_ROOTS = 64;
/** A bundle is one resource, and a node reads messages of 4 MiB. */
const MAX_BYTES = 1_048_576;

export class Federation {
  readonly #held = new Map<string, HeldTrustBundle>();
  /** Trust domains that nodes are told of. */
  readonly #published = new Set<string>();
  readonly #leftOut = new Map<string, number>();

  set(object: KubeObject, isThere: boolean): void {
    const { name } = object.metadata;
    if (isThere) this.#held.set(name, { object, parsed: parseTrustBundle(object) });
    else this.#held.delete(name);
  }

  all(): readonly HeldTrustBundle[] {
    return [...this.#held.values()];
  }

  /** How many roots of that object do not count, for want of room. */
  leftOut(name: string): number {
    return this.#leftOut.get(name) ?? 0;
  }

  /** Brings `global` up to date; `own` is the mesh's trust domain of now, which no object speaks for. */
  publish(global: NodeTables["global"], own: string): void {
    const bundles = this.#bundles(own);
    for (const trustDomain of this.#published) {
      // What is there under the mesh's own name is not ours to take away.
      if (bundles.has(trustDomain) || trustDomain === own) continue;
      global.drop({ kind: "bundle", name: trustDomain });
    }
    this.#published.clear();
    for (const [trustDomain, bundle] of bundles) {
      global.put(compileTrustBundle(bundle));
      this.#published.add(trustDomain);
    }
  }

  #bundles(own: string): ReadonlyMap<string, TrustBundle> {
    const joined = new Map<string, JoinedRoots>();
    this.#leftOut.clear();
    const byName = [...this.#held].toSorted(([a], [b]) => (a < b ? -1 : 1));
    for (const [name, { parsed }] of byName) {
      if (parsed.kind === "refused" || parsed.value.trustDomain === own) continue;
      const { trustDomain, roots } = parsed.value;
      const bundle = joined.get(trustDomain) ?? { roots: new Map<string, Uint8Array>(), bytes: 0 };
      joined.set(trustDomain, bundle);
      const leftOut = roots.filter(({ der }) => !join(bundle, der)).length;
      if (leftOut > 0) this.#leftOut.set(name, leftOut);
    }
    return new Map(
      [...joined].map(([trustDomain, { roots }]) => [
        trustDomain,
        { trustDomain, roots: [...roots.values()], issuer: "", retired: [] },
      ]),
    );
  }
}

interface JoinedRoots {
  readonly roots: Map<string, Uint8Array>;
  bytes: number;
}

/** False where there is no room for it. */
function join(bundle: JoinedRoots, der: Uint8Array): boolean {
  const key = der.join();
  if (bundle.roots.has(key)) return true;
  if (bundle.roots.size >= MAX_ROOTS || bundle.bytes + der.length > MAX_BYTES) return false;
  bundle.roots.set(key, der);
  bundle.bytes += der.length;
  return true;
}
