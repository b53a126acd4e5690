/**
 * Who signs leaves: a CA certificate, its key, and the chain from it up to, but without, the root.
 *
 * Mostly an intermediate. A CA that was brought may sign with its root itself: then `chain` is empty. What
 * is trusted (roots) is kept apart from what signs, so the two can change at different times.
 */
import type { KeyObject } from "node:crypto";
import type { Certificate } from "../../core/x509/certificate.ts";
import { type CertificateTemplate, signCertificate } from "../../core/x509/sign-certificate.ts";

export class Signer {
  readonly #key: KeyObject;
  readonly certificate: Certificate;
  /** The signer's own certificate first; empty where the signer is a root. */
  readonly chain: readonly Certificate[];

  constructor(key: KeyObject, certificate: Certificate, chain: readonly Certificate[]) {
    this.#key = key;
    this.certificate = certificate;
    this.chain = chain;
  }

  sign(template: CertificateTemplate): Uint8Array {
    return signCertificate(template, this.#key);
  }

  toJSON(): string {
    return "[redacted]";
  }
}
