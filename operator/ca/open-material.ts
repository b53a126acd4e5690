/**
 * What the CA starts with: what is stored, with an intermediate that is not in its last third where one can be had;
 * or a first CA, where nothing is stored. Of replicas that start at once one makes it, and all have it.
 */
import { CaError } from "./ca-error.ts";
import { createHierarchy, isRenewalDue, isTrusted, withIntermediate } from "./intermediate.ts";
import type { IntermediateAnswer, IntermediateSource } from "./intermediate-source.ts";
import type { CaMaterial, KeyStore } from "./key-store.ts";
import { LOCAL_INTERMEDIATES } from "./local-intermediate.ts";

export interface OpenOptions {
  readonly keyStore: KeyStore;
  readonly trustDomain: string;
  readonly now: number;
  /** By default they are made here, under the root's key. Asked each time, since settings change. */
  readonly intermediates?: () => IntermediateSource;
  /** Aborts a start that waits for an external source. */
  readonly signal?: AbortSignal;
}

/** Of replicas that start at once each may be overtaken by each. */
const MAX_ATTEMPTS = 8;

/** `canSign`: for as long as it can, nobody waits for an external source. */
export async function openMaterial(
  options: OpenOptions,
  canSign: (material: CaMaterial) => boolean,
): Promise<CaMaterial> {
  const { keyStore } = options;
  for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt += 1) {
    const stored = await keyStore.read();
    const next = stored ? await renewed(stored, options, canSign) : await first(options);
    if (stored && !next) return stored;
    // Where another replica was first its CA is the mesh's, and ours is forgotten.
    if (next && (await put(keyStore, stored, next))) return next;
  }
  throw new CaError(
    "ca_incomplete",
    `${keyStore.place} changed all the time while the operator started`,
  );
}

/** Where the root's key is stored nobody else is needed, whatever the settings of now say. */
export function renewalSource(
  { rootKeyPem }: CaMaterial,
  intermediates: OpenOptions["intermediates"],
): IntermediateSource {
  return rootKeyPem === undefined && intermediates ? intermediates() : LOCAL_INTERMEDIATES;
}

async function put(
  keyStore: KeyStore,
  before: CaMaterial | undefined,
  next: CaMaterial,
): Promise<boolean> {
  if (before) return (await keyStore.replace(before, next)) === "replaced";
  return (await keyStore.create(next)) === "created";
}

async function first(options: OpenOptions): Promise<CaMaterial> {
  const { keyStore, trustDomain, now } = options;
  const { place } = keyStore;
  const source = options.intermediates?.();
  if (!source?.isExternal) return createHierarchy({ trustDomain, place, now });
  const answer = await ask(source, undefined, options);
  if (answer.kind === "refused") throw new CaError("ca_not_renewed", answer.message);
  const { certificatesPem, keyPem, rootPem } = answer;
  return { certificatesPem, keyPem, rootsPem: rootPem };
}

async function renewed(
  stored: CaMaterial,
  options: OpenOptions,
  canSign: (material: CaMaterial) => boolean,
): Promise<CaMaterial | undefined> {
  const { keyStore, now } = options;
  const { place } = keyStore;
  if (stored.rotation !== undefined) return undefined;
  const source = renewalSource(stored, options.intermediates);
  const { isExternal } = source;
  if (!isRenewalDue(stored, { place, now, isExternal })) return undefined;
  if (isExternal && canSign(stored)) return undefined;
  const answer = await ask(source, stored, options);
  // What is stored then tells itself why it cannot sign.
  if (answer.kind === "refused" || !isTrusted(stored, answer, place)) return undefined;
  return withIntermediate(stored, answer);
}

function ask(
  source: IntermediateSource,
  material: CaMaterial | undefined,
  { keyStore, trustDomain, now, signal = new AbortController().signal }: OpenOptions,
): Promise<IntermediateAnswer> {
  return source.create({ material, trustDomain, place: keyStore.place, now, signal });
}
