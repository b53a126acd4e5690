/** A leaf and its key as the control process holds them: checked, and never printed. */
import { createPrivateKey, type KeyObject } from "node:crypto";
import { parseSpiffeId } from "../../core/model/spiffe-id.ts";
import type { TrustBundle } from "../../core/model/trust-bundle.ts";
import { formatCertificatesPem, parseCertificatesPem } from "../../core/x509/pem.ts";
import type { ServedLeaf } from "../channel/messages.ts";
import { type CheckedIssue, checkIssued, type IssuedExpectation } from "./check-issued.ts";

type ValidIssue = Extract<CheckedIssue, { kind: "valid" }>;

export class HeldLeaf {
  readonly #served: ServedLeaf;
  /** Hex SHA-256 of the issuer's certificate. */
  readonly issuer: string;
  /** Hex. */
  readonly serial: string;
  readonly notBeforeMs: number;
  readonly notAfterMs: number;
  readonly renewAtMs: number;

  constructor(served: ServedLeaf, checked: Omit<ValidIssue, "kind">, renewAtMs: number) {
    this.#served = served;
    this.issuer = checked.issuer;
    this.serial = checked.serial;
    this.notBeforeMs = checked.notBeforeMs;
    this.notAfterMs = served.notAfterMs;
    this.renewAtMs = renewAtMs;
  }

  /** With the key: for the traffic process and the tmpfs snapshot only. */
  served(): ServedLeaf {
    return this.#served;
  }

  toJSON(): string {
    return "[redacted]";
  }
}

export type HoldResult =
  | { readonly kind: "held"; readonly leaf: HeldLeaf }
  | { readonly kind: "refused"; readonly reason: string };

/** The operator's answer, just received. `random` in [0, 1). */
export function holdIssued(
  chain: readonly Uint8Array[],
  expectation: IssuedExpectation & { readonly uri: string },
  random: number,
): HoldResult {
  const checked = checkIssued(chain, expectation);
  if (checked.kind === "refused") return checked;
  const keyPem = expectation.key.export({ format: "pem", type: "pkcs8" }).toString();
  const { notAfterMs } = checked;
  const chainPem = formatCertificatesPem(chain);
  const served = { identity: expectation.uri, chainPem, keyPem, notAfterMs };
  // From its arrival: `notBefore` is backdated, for short lives by more than the life itself.
  const renewAtMs = renewal({ ...checked, notBeforeMs: expectation.now }, random);
  return { kind: "held", leaf: new HeldLeaf(served, checked, renewAtMs) };
}

export interface RestoreOptions {
  readonly bundles: readonly TrustBundle[];
  readonly now: number;
  readonly random: number;
}

/** A leaf from the snapshot, checked like one just received. When it came is not known: half life counts from `notBefore`. */
export function holdRestored(served: ServedLeaf, options: RestoreOptions): HoldResult {
  const identity = parseSpiffeId(served.identity);
  const pem = parseCertificatesPem(served.chainPem);
  const key = readKey(served.keyPem);
  if (!identity || !key || pem.kind === "malformed")
    return { kind: "refused", reason: "malformed" };
  const checked = checkIssued(pem.certificates, { ...options, identity, key });
  if (checked.kind === "refused") return checked;
  const leaf = { ...served, notAfterMs: checked.notAfterMs };
  const held = new HeldLeaf(leaf, checked, renewal(checked, options.random));
  return { kind: "held", leaf: held };
}

/** Half life ± 10 % of the life, so that leaves issued together do not come back together. */
function renewal(
  { notBeforeMs, notAfterMs }: Pick<ValidIssue, "notBeforeMs" | "notAfterMs">,
  random: number,
): number {
  return Math.round(notBeforeMs + (notAfterMs - notBeforeMs) * (0.4 + 0.2 * random));
}

function readKey(pem: string): KeyObject | undefined {
  try {
    return createPrivateKey(pem);
  } catch {
    return undefined;
  }
}
