/**
 * The mesh's certificate authority as it lives: made or loaded at the start, looked after from then on, so that
 * a CA that was renewed or exchanged in its store is the one that signs, without a restart.
 *
 * Decides nothing about who may have which identity: that is `issue-for-workload.ts`.
 */
import { operatorIdentity } from "../../core/model/operator-identity.ts";
import type { TrustBundle } from "../../core/model/trust-bundle.ts";
import { AskedIntermediate } from "./asked-intermediate.ts";
import { CaError } from "./ca-error.ts";
import { isEnding, isRenewalDue, isTrusted, withIntermediate } from "./intermediate.ts";
import {
  type IssuedChain,
  issueLeaf,
  issueServer,
  type LeafRequest,
  type ServerCertificate,
  type ServerRequest,
} from "./issue-certificate.ts";
import { type CaMaterial, isSameMaterial } from "./key-store.ts";
import { type LoadedCa, loadSigner } from "./load-signer.ts";
import { type OpenOptions, openMaterial, renewalSource } from "./open-material.ts";
import { bundleOf } from "./trust.ts";
import { SERVER_LIFETIME_SECONDS } from "./validity.ts";

export interface Authority {
  issueLeaf(request: LeafRequest): IssuedChain;
  /** With a key of its own: for the operator's gRPC and webhook servers. */
  issueServer(request: ServerRequest): ServerCertificate;
  bundle(): TrustBundle;
  /**
   * Compares with the store, and takes what is there now. Throws where that cannot sign (`CaError`) or the
   * store cannot be read: the CA from before goes on signing.
   */
  look(options: LookOptions): Promise<CaLook>;
  /** Of what signs at this moment. From the earlier end on issuing throws `CaError` ca_expired. */
  expiry(): CaExpiry;
}

export interface LookOptions {
  readonly now: number;
  /** For one of the replicas: puts back a CA that somebody removed, and renews the intermediate. */
  readonly mayWrite: boolean;
}

export interface CaLook {
  /**
   * `restored`: it was removed; a replica that starts would have made another root, and the mesh would
   * have fallen in two. `taken`: another one was stored and signs from now on. `rotated`: a step of a rotation was
   * stored. `renewed`: a new intermediate.
   */
  readonly change: "none" | "missing" | "restored" | "taken" | "rotated" | "renewed";
  /** What signs ends soon, and nobody has renewed it. */
  readonly isEnding: boolean;
}

export interface CaExpiry {
  readonly rootMs: number;
  /** Of the certificate that signs leaves: the root's where that is itself. */
  readonly intermediateMs: number;
}

export interface AuthorityOptions extends OpenOptions {
  /** Of what is issued now; by default the 24 h of the operator's own server certificates. */
  readonly longestLeafSeconds?: () => number;
}

/** Loads the CA, or makes one where there is none; `now` is when it begins. Throws `CaError` with the way out. */
export async function createAuthority(options: AuthorityOptions): Promise<Authority> {
  const sinceMs = performance.now();
  const material = await openMaterial(options, (stored) => canSign(stored, options));
  // A signer outside may have taken its time, and its certificate is of then.
  const now = options.now + Math.ceil(performance.now() - sinceMs);
  return new StoredAuthority({ ...options, now }, material);
}

class StoredAuthority implements Authority {
  readonly #options: AuthorityOptions;
  #material: CaMaterial;
  #ca: LoadedCa;
  #bundle: TrustBundle;
  readonly #asked = new AskedIntermediate();

  constructor(options: AuthorityOptions, material: CaMaterial) {
    this.#options = options;
    this.#material = material;
    this.#ca = loadNow(material, options, options.now);
    this.#bundle = bundleOf(material, options);
  }

  issueLeaf(request: LeafRequest): IssuedChain {
    return issueLeaf(this.#ca, request);
  }

  issueServer(request: ServerRequest): ServerCertificate {
    return issueServer(this.#ca, request);
  }

  bundle(): TrustBundle {
    return this.#bundle;
  }

  expiry(): CaExpiry {
    const { root, signer } = this.#ca;
    return { rootMs: root.notAfterMs, intermediateMs: signer.certificate.notAfterMs };
  }

  async look({ now, mayWrite }: LookOptions): Promise<CaLook> {
    const change = await this.#compare(now, mayWrite);
    const isRenewed = mayWrite && change !== "missing" && (await this.#renew(now));
    return {
      change: isRenewed ? "renewed" : change,
      isEnding: isEnding(this.#ca.signer.certificate, now),
    };
  }

  toJSON(): string {
    return "[redacted]";
  }

  async #compare(now: number, mayWrite: boolean): Promise<CaLook["change"]> {
    const { keyStore } = this.#options;
    const stored = await keyStore.read();
    if (!stored) {
      if (!mayWrite) return "missing";
      return (await keyStore.create(this.#material)) === "created" ? "restored" : "missing";
    }
    if (isSameMaterial(stored, this.#material)) return "none";
    const isRotation = (stored.rotation ?? this.#material.rotation) !== undefined;
    this.#take(stored, this.#load(stored, now));
    return isRotation ? "rotated" : "taken";
  }

  async #renew(now: number): Promise<boolean> {
    const { keyStore, trustDomain } = this.#options;
    const { place } = keyStore;
    const before = this.#material;
    // It would take the signer out from under the rotation, which makes a new one anyhow.
    if (before.rotation !== undefined) return false;
    const source = renewalSource(before, this.#options.intermediates);
    if (!isRenewalDue(before, { place, now, isExternal: source.isExternal })) return false;
    const request = { material: before, trustDomain, place, now };
    const answer = await this.#asked.take(source, request);
    if (answer.kind === "asking") return false;
    if (answer.kind === "refused") throw new CaError("ca_not_renewed", answer.message);
    if (!isTrusted(before, answer, place)) throw otherRoot(source.signer);
    const next = withIntermediate(before, answer);
    const ca = loadNow(next, this.#options, now);
    if ((await keyStore.replace(before, next)) === "changed") return false;
    this.#take(next, ca);
    return true;
  }

  /** What signs already goes on to its end: that it is near must not keep anybody from trusting the next one. */
  #load(stored: CaMaterial, now: number): LoadedCa {
    const { certificatesPem, keyPem } = this.#material;
    const isKnown = stored.certificatesPem === certificatesPem && stored.keyPem === keyPem;
    return isKnown
      ? loadSigner(stored, { place: this.#options.keyStore.place, now, longestLeafSeconds: 0 })
      : loadNow(stored, this.#options, now);
  }

  #take(material: CaMaterial, ca: LoadedCa): void {
    this.#bundle = bundleOf(material, this.#options);
    this.#ca = ca;
    this.#material = material;
  }
}

function canSign(material: CaMaterial, options: AuthorityOptions): boolean {
  try {
    loadNow(material, options, options.now);
    return true;
  } catch (error) {
    if (error instanceof CaError) return false;
    throw error;
  }
}

function otherRoot(signer: string): CaError {
  return new CaError(
    "ca_not_renewed",
    `${signer} signs under a root that the mesh does not trust yet: rotate the intermediate (docs/certificates.md)`,
  );
}

/** Throws `CaError` where leaves that are issued now could not be. */
export function loadNow(
  material: CaMaterial,
  { keyStore, trustDomain, longestLeafSeconds }: Omit<AuthorityOptions, "now">,
  now: number,
): LoadedCa {
  const ca = loadSigner(material, {
    place: keyStore.place,
    now,
    longestLeafSeconds: Math.max(SERVER_LIFETIME_SECONDS, longestLeafSeconds?.() ?? 0),
  });
  // What no check foresees shows here, not with the first workload.
  const { publicKey } = ca.signer.certificate;
  const identity = operatorIdentity(trustDomain);
  issueLeaf(ca, { publicKey, identity, lifetimeSeconds: SERVER_LIFETIME_SECONDS, now });
  return ca;
}
