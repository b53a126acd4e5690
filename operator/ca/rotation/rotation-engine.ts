/**
 * Takes a rotation one step on: reads the key store, has a new CA made where one is needed, stores the next step by
 * compare-and-swap. Run by the leader; of two that think they lead one loses each swap, and nothing is lost with it.
 *
 * Says what has become of it; writes no status, and has no timer.
 */
import type { TrustBundle } from "../../../core/model/trust-bundle.ts";
import { AskedIntermediate } from "../asked-intermediate.ts";
import { type AuthorityOptions, loadNow } from "../authority.ts";
import { createHierarchy } from "../intermediate.ts";
import type { IntermediateSource } from "../intermediate-source.ts";
import { type CaMaterial, isSameMaterial } from "../key-store.ts";
import { LOCAL_INTERMEDIATES } from "../local-intermediate.ts";
import { isOwnRoot } from "../root.ts";
import { type EndedRotation, type RotationRecord, readEnded } from "../rotation-record.ts";
import { bundleOf } from "../trust.ts";
import { type MadeCa, madePair, signingPair } from "./ca-pair.ts";
import { decideStep, type RotationWish, type Step, type StepQuestion } from "./decide-step.ts";
import { begin, readUnderWay, type UnderWay } from "./transitions.ts";

export interface RotationEngineOptions extends Omit<AuthorityOptions, "now" | "signal"> {
  readonly versionOf: (bundle: TrustBundle) => string;
  /** Milliseconds of a clock that never jumps. */
  readonly monotonicMs: () => number;
}

/** What the key store says about rotations, of now and before. */
export interface StoredRotations {
  readonly underWay: RotationRecord | undefined;
  readonly ended: readonly EndedRotation[];
}

export interface AdvanceQuestion extends Pick<StepQuestion, "nodes" | "now"> {
  /** Which of those that are asked for is to be moved on. */
  readonly choose: (stored: StoredRotations) => RotationWish | undefined;
  /** Whether those outside of the stream trust exactly these, and nobody has to be told any more. */
  readonly isPublished: (bundle: TrustBundle) => boolean;
}

export type RotationProgress =
  | Exclude<Step, { readonly kind: "make" | "store" }>
  /** A step has been stored, by us or by somebody else: ask again. */
  | { readonly kind: "moved" }
  /** The key store holds no CA: whoever looks after it puts it back. */
  | { readonly kind: "missing" }
  /** Whoever signs the new intermediate has not answered yet. */
  | { readonly kind: "asking"; readonly signer: string }
  | { readonly kind: "refused"; readonly reason: RotationRefusal; readonly message: string };

export type RotationRefusal = "CaBrought" | "RootKeyOffline" | "SignerOwnsRoot" | "SignerDenied";

export class RotationEngine {
  readonly #options: RotationEngineOptions;
  readonly #asked = new AskedIntermediate();
  /** What is stored, and since when it has been seen. */
  #seen: Seen | undefined;

  constructor(options: RotationEngineOptions) {
    this.#options = options;
  }

  /**
   * Throws what the key store throws; and `CaError` where what would be stored could not sign: then nothing is stored,
   * and the step from before stands.
   */
  async advance({ choose, nodes, now, isPublished }: AdvanceQuestion): Promise<RotationProgress> {
    const { keyStore, trustDomain, monotonicMs } = this.#options;
    const material = await keyStore.read();
    if (!material) return { kind: "missing" };
    const { bundle, bundleVersion, underWay, sinceMs } = this.#see(material, now);
    const wish = choose({
      underWay: "record" in underWay ? underWay.record : undefined,
      ended: readEnded(material.rotated),
    });
    const step = decideStep({
      material,
      underWay,
      place: keyStore.place,
      trustDomain,
      bundleVersion,
      wish,
      nodes,
      settledMs: monotonicMs() - sinceMs,
      isPublished: isPublished(bundle),
      now,
    });
    if (step.kind !== "make") this.#asked.forget();
    if (step.kind === "store") return this.#store(material, step.next, now);
    if (step.kind !== "make" || !wish) return step.kind === "make" ? { kind: "idle" } : step;
    return this.#begin(material, wish, now);
  }

  /** Nobody waits for a new intermediate any more. */
  close(): void {
    this.#asked.forget();
  }

  #see(material: CaMaterial, now: number): Seen {
    if (this.#seen && isSameMaterial(this.#seen.material, material)) return this.#seen;
    const bundle = bundleOf(material, this.#options);
    const bundleVersion = this.#options.versionOf(bundle);
    const underWay = readUnderWay(material, { place: this.#options.keyStore.place, now });
    const sinceMs = this.#options.monotonicMs();
    this.#seen = { material, bundle, bundleVersion, underWay, sinceMs };
    return this.#seen;
  }

  async #store(before: CaMaterial, next: CaMaterial, now: number): Promise<RotationProgress> {
    // A CA that ends soon must not keep a new one from being rotated to.
    if (next.certificatesPem !== before.certificatesPem) loadNow(next, this.#options, now);
    await this.#options.keyStore.replace(before, next);
    return { kind: "moved" };
  }

  async #begin(
    material: CaMaterial,
    { authority, object }: RotationWish,
    now: number,
  ): Promise<RotationProgress> {
    const { place } = this.#options.keyStore;
    const source = this.#options.intermediates?.() ?? LOCAL_INTERMEDIATES;
    const made =
      authority === "root"
        ? this.#makeRoot(material, source, now)
        : await this.#makeIntermediate(material, source, now);
    if (made.kind !== "made") return made;
    const next = begin(material, madePair(made), { authority, object, place, now });
    return this.#store(material, next, now);
  }

  #makeRoot(material: CaMaterial, source: IntermediateSource, now: number): Made {
    const { keyStore, trustDomain } = this.#options;
    const { place } = keyStore;
    if (source.isExternal) {
      const message = `the root is that of ${source.signer}: rotate it there, then the intermediate here`;
      return { kind: "refused", reason: "SignerOwnsRoot", message };
    }
    if (!isOwnRoot(signingPair(material, { place, now }).root)) {
      const message = `${place} holds a CA that was brought: exchange it there, as docs/certificates.md says`;
      return { kind: "refused", reason: "CaBrought", message };
    }
    const { certificatesPem, keyPem, rootsPem, rootKeyPem } = createHierarchy({
      trustDomain,
      place,
      now,
    });
    return { kind: "made", certificatesPem, keyPem, rootPem: rootsPem, rootKeyPem };
  }

  async #makeIntermediate(
    material: CaMaterial,
    source: IntermediateSource,
    now: number,
  ): Promise<Made> {
    const { keyStore, trustDomain } = this.#options;
    const { place } = keyStore;
    const answer = await this.#asked.take(source, { material, trustDomain, place, now });
    return answer.kind === "asking" ? { ...answer, signer: source.signer } : answer;
  }
}

interface Seen {
  readonly material: CaMaterial;
  readonly bundle: TrustBundle;
  readonly bundleVersion: string;
  readonly underWay: UnderWay;
  /** By the clock that never jumps. */
  readonly sinceMs: number;
}

type Made =
  | ({ readonly kind: "made" } & MadeCa)
  | Extract<RotationProgress, { readonly kind: "asking" | "refused" }>;
