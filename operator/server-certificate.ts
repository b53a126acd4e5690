/**
 * Keeps a serving certificate of our own CA fresh: issued at the start, renewed at two thirds of its
 * life, handed to the server without a restart.
 */
import type { Log } from "../core/process/log.ts";
import type { Authority, ServerCertificate, ServerRequest } from "./ca/authority.ts";

const LIFETIME_SECONDS = 24 * 3600;
const RETRY_MS = 60_000;

export interface RenewalOptions {
  readonly authority: Authority;
  readonly names: Pick<ServerRequest, "identity" | "dnsNames">;
  readonly log: Log;
}

export interface Renewal {
  readonly first: ServerCertificate;
  /** Of the certificate that is served. */
  notAfterMs(): number;
  /** `use` gets every certificate after the first. */
  start(use: (certificate: ServerCertificate) => void): void;
  close(): void;
}

export function createRenewal(options: RenewalOptions): Renewal {
  let timer: NodeJS.Timeout | undefined;
  const first = issueNow(options);
  let { notAfterMs } = first;

  function schedule(delayMs: number, use: (certificate: ServerCertificate) => void): void {
    function useNext(next: ServerCertificate): void {
      ({ notAfterMs } = next);
      use(next);
    }
    timer = setTimeout(() => {
      schedule(renew(options, useNext), use);
    }, delayMs);
    timer.unref();
  }
  return {
    first,
    notAfterMs: () => notAfterMs,
    start: (use) => schedule(delayOf(first), use),
    close: () => clearTimeout(timer),
  };
}

/** When to renew the next time. A failure leaves the certificate that is served, and is tried again. */
function renew(options: RenewalOptions, use: (certificate: ServerCertificate) => void): number {
  try {
    const next = issueNow(options);
    use(next);
    options.log.info({ dnsNames: options.names.dnsNames }, "server certificate renewed");
    return delayOf(next);
  } catch (error) {
    options.log.error({ err: error }, "server certificate not renewed");
    return RETRY_MS;
  }
}

function issueNow({ authority, names }: RenewalOptions): ServerCertificate {
  return authority.issueServer({
    ...names,
    ipAddresses: [],
    lifetimeSeconds: LIFETIME_SECONDS,
    now: Date.now(),
  });
}

function delayOf({ notAfterMs }: ServerCertificate): number {
  return Math.max(RETRY_MS, ((notAfterMs - Date.now()) * 2) / 3);
}
