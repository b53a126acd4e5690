/**
 * Keeps a serving certificate of our own CA fresh: issued at the start, renewed at two thirds of its
 * life, handed to the server without a restart.
 */
import type { Log } from "../core/process/log.ts";
import { formatCertificatesPem } from "../core/x509/pem.ts";
import type { Authority } from "./ca/authority.ts";
import type { ServerCertificate, ServerRequest } from "./ca/issue-certificate.ts";
import { SERVER_LIFETIME_SECONDS } from "./ca/validity.ts";

const RETRY_MS = 60_000;
/** Timers stand still while a machine sleeps, and know nothing of a clock that is set: so the clock is looked at. */
const LOOK_EVERY_MS = 10 * 60_000;

export interface RenewalOptions {
  readonly authority: Pick<Authority, "issueServer">;
  readonly names: Pick<ServerRequest, "identity" | "dnsNames">;
  readonly log: Log;
}

export interface Renewal {
  readonly first: ServerCertificate;
  /** Of the certificate that is served. */
  notAfterMs(): number;
  /** When it was made. */
  issuedAtMs(): number;
  /** What it travels with, PEM: the certificate that signed it, then those above it but the root. "" under a root. */
  issuersPem(): string;
  /** `use` gets every certificate after the first. */
  start(use: (certificate: ServerCertificate) => void): void;
  /** After `start`, whatever its age: another CA signs. */
  renewNow(): void;
  close(): void;
}

export function createRenewal(options: RenewalOptions): Renewal {
  const first = issueNow(options);
  let current = first;
  let issuedAtMs = Date.now();
  let dueMs = dueAt(first);
  let timer: NodeJS.Timeout | undefined;
  let use: ((certificate: ServerCertificate) => void) | undefined;

  /** A failure leaves the certificate that is served, and is tried again. */
  function renew(): void {
    const { log, names } = options;
    try {
      current = issueNow(options);
      issuedAtMs = Date.now();
      dueMs = dueAt(current);
      use?.(current);
      log.info({ dnsNames: names.dnsNames }, "server certificate renewed");
    } catch (error) {
      dueMs = Date.now() + RETRY_MS;
      log.error({ err: error }, "server certificate not renewed");
    }
  }

  function look(): void {
    const delayMs = Math.min(LOOK_EVERY_MS, Math.max(0, dueMs - Date.now()));
    timer = setTimeout(() => {
      if (Date.now() >= dueMs) renew();
      look();
    }, delayMs);
    timer.unref();
  }
  return {
    first,
    notAfterMs: () => current.notAfterMs,
    issuedAtMs: () => issuedAtMs,
    issuersPem: () => formatCertificatesPem(current.chain.slice(1)),
    start(serve) {
      use = serve;
      look();
    },
    renewNow: renew,
    close: () => clearTimeout(timer),
  };
}

function issueNow({ authority, names }: RenewalOptions): ServerCertificate {
  return authority.issueServer({
    ...names,
    ipAddresses: [],
    lifetimeSeconds: SERVER_LIFETIME_SECONDS,
    now: Date.now(),
  });
}

function dueAt({ notAfterMs }: ServerCertificate): number {
  const now = Date.now();
  return now + Math.max(RETRY_MS, ((notAfterMs - now) * 2) / 3);
}
