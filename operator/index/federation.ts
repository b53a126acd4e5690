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

export class Federation {
  readonly #held = new Map<string, HeldTrustBundle>();
  /** Trust domains that nodes are told of. */
  readonly #published = new Set<string>();

  set(object: KubeObject, isThere: boolean): void {
    const { name } = object.metadata;
    if (isThere) this.#held.set(name, { object, parsed: parseTrustBundle(object) });
    else this.#held.delete(name);
  }

  all(): readonly HeldTrustBundle[] {
    return [...this.#held.values()];
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
    const roots = new Map<string, Map<string, Uint8Array>>();
    const byName = [...this.#held].toSorted(([a], [b]) => (a < b ? -1 : 1));
    for (const [, { parsed }] of byName) {
      if (parsed.kind === "refused" || parsed.value.trustDomain === own) continue;
      const { trustDomain } = parsed.value;
      const joined = roots.get(trustDomain) ?? new Map<string, Uint8Array>();
      for (const { der } of parsed.value.roots)
        if (joined.size < MAX_ROOTS) joined.set(der.join(), der);
      roots.set(trustDomain, joined);
    }
    return new Map(
      [...roots].map(([trustDomain, joined]) => [
        trustDomain,
        { trustDomain, roots: [...joined.values()], issuer: "", retired: [] },
      ]),
    );
  }
}
