/**
 * What a rotation stores next: each step as a pure function from one content of the key store to the next one. When a
 * step may be taken is `decide-step.ts`'s to say; each of these is one write, all or nothing.
 */
import type { Certificate } from "../../../core/x509/certificate.ts";
import { formatCertificatesPem } from "../../../core/x509/pem.ts";
import { type CaMaterial, ENTRIES } from "../key-store.ts";
import { isIn, readCertificates } from "../read-material.ts";
import {
  appendEnded,
  type EndedRotation,
  formatRotation,
  type RotatedAuthority,
  type RotationRecord,
  readRotation,
} from "../rotation-record.ts";
import {
  type CaPair,
  hasSameRoot,
  type PairOptions,
  signingPair,
  standbyPair,
  withPairs,
} from "./ca-pair.ts";

/** A certificate that has ended is refused for that; until every clock agrees it stays in `retired.crt`. */
const KEEP_RETIRED_MS = 24 * 3_600_000;

/** Both CAs of a rotation that is under way. */
export interface Rotating {
  readonly material: CaMaterial;
  readonly record: RotationRecord;
  readonly signing: CaPair;
  readonly standby: CaPair;
}

/** What the key store says about a rotation. */
export type UnderWay =
  | { readonly kind: "none" | "unreadable" }
  /** What is stored is not what the record says: somebody has put another CA there. */
  | { readonly kind: "exchanged"; readonly record: RotationRecord }
  | ({ readonly kind: "rotating" } & Rotating);

export function readUnderWay(material: CaMaterial, options: PairOptions): UnderWay {
  const record = readRotation(material.rotation);
  if (record.kind !== "rotating") return record;
  const rotating = readRotating(material, record, options);
  return rotating ? { kind: "rotating", ...rotating } : { kind: "exchanged", record };
}

function readRotating(
  material: CaMaterial,
  record: RotationRecord,
  options: PairOptions,
): Rotating | undefined {
  const signing = signingPair(material, options);
  const standby = standbyPair(material, options);
  if (!standby) return undefined;
  const { target, other } = endsOf(record);
  const [signs, stands] = record.phase === "add" ? [other, target] : [target, other];
  const isAsSaid = signing.fingerprint === signs && standby.fingerprint === stands;
  return isAsSaid ? { material, record, signing, standby } : undefined;
}

/** Where a rotation goes to, and what it leaves: on the way back they change places. */
export function endsOf({ from, to, aborting }: RotationRecord): {
  readonly target: string;
  readonly other: string;
} {
  return aborting ? { target: from, other: to } : { target: to, other: from };
}

export interface Begin extends PairOptions {
  readonly authority: RotatedAuthority;
  readonly object: string;
}

/** Under the same root nobody has to learn to trust anything, so the new one signs at once. */
export function begin(material: CaMaterial, made: CaPair, options: Begin): CaMaterial {
  const { authority, object, now, place } = options;
  const old = signingPair(material, options);
  const isOneRoot = hasSameRoot(old, made);
  const record: RotationRecord = {
    authority,
    from: old.fingerprint,
    to: made.fingerprint,
    phase: isOneRoot ? "reissue" : "add",
    aborting: false,
    settled: false,
    object,
    startedMs: now,
  };
  const pairs = isOneRoot ? { signing: made, standby: old } : { signing: old, standby: made };
  const next = withPairs(material, pairs);
  return recorded(trusting(next, made, place), record);
}

/** The same phase, under a bundle of another version: who proves that one has it from a replica that knows the phase. */
export function settle({ material, record }: Rotating): CaMaterial {
  return { ...material, rotation: formatRotation({ ...record, settled: true }) };
}

/** add → reissue. */
export function signWithStandby({ material, record, signing, standby }: Rotating): CaMaterial {
  const next = withPairs(material, { signing: standby, standby: signing });
  return recorded(next, { ...record, phase: "reissue" });
}

/** reissue → drop: nothing that leads to the standby is trusted any more. */
export function dropStandby(rotating: Rotating, { place, now }: PairOptions): CaMaterial {
  const { material, record, signing, standby } = rotating;
  const isOneRoot = hasSameRoot(signing, standby);
  const roots = readCertificates(material.rootsPem, `${place}: ${ENTRIES.roots}`);
  const kept = isOneRoot ? roots : roots.filter((root) => !isIn([standby.root], root));
  // Those above the signer may be others' as well; under another root they are not.
  const gone = isOneRoot ? [standby.chain[0]] : [...standby.chain, standby.root];
  const retired = retiredOf(material, place)
    .filter((one) => one.notAfterMs + KEEP_RETIRED_MS > now && !isIn(gone, one))
    .concat(gone.filter((one) => !isIn([...signing.chain, signing.root], one)));
  const next = { ...material, rootsPem: pemOf(kept), retiredPem: pemOf(retired) };
  return recorded(next, { ...record, phase: "drop" });
}

/** drop → its end. */
export function finish(material: CaMaterial, ended: EndedRotation): CaMaterial {
  return {
    ...material,
    standbyCertificatesPem: undefined,
    standbyKeyPem: undefined,
    standbyRootKeyPem: undefined,
    rotation: undefined,
    rotated: appendEnded(material.rotated, ended),
  };
}

/**
 * The first step back, whatever the phase. From `add` nothing was ever signed by the new CA, so it is dropped at once;
 * from `drop` the old one has to be trusted by everybody again before it may sign.
 */
export function turnBack(rotating: Rotating, options: PairOptions): CaMaterial {
  const record = { ...rotating.record, aborting: true };
  switch (rotating.record.phase) {
    case "add":
      return dropStandby({ ...rotating, record }, options);
    case "reissue":
      return signWithStandby({ ...rotating, record });
    case "drop": {
      const next = trusting(rotating.material, rotating.standby, options.place);
      return recorded(next, { ...record, phase: "add" });
    }
  }
}

function trusting(material: CaMaterial, pair: CaPair, place: string): CaMaterial {
  const roots = readCertificates(material.rootsPem, `${place}: ${ENTRIES.roots}`);
  const all = isIn(roots, pair.root) ? roots : [...roots, pair.root];
  const retired = retiredOf(material, place);
  const kept = retired.filter((one) => !isIn([...pair.chain, pair.root], one));
  return { ...material, rootsPem: pemOf(all), retiredPem: pemOf(kept) };
}

function retiredOf({ retiredPem }: CaMaterial, place: string): readonly Certificate[] {
  return retiredPem === undefined
    ? []
    : readCertificates(retiredPem, `${place}: ${ENTRIES.retired}`);
}

/** "" is no PEM: an entry without certificates is left out. */
function pemOf(certificates: readonly Certificate[]): string {
  return formatCertificatesPem(certificates.map(({ der }) => der));
}

/** At the beginning of a phase. */
function recorded(material: CaMaterial, record: RotationRecord): CaMaterial {
  const retiredPem = material.retiredPem === "" ? undefined : material.retiredPem;
  return { ...material, retiredPem, rotation: formatRotation({ ...record, settled: false }) };
}
