/** Loads or makes the CA and publishes its roots, waiting for an API server that is away for as long as it takes. */
import { setTimeout as delay } from "node:timers/promises";
import { KubeError } from "../core/kube/kube-error.ts";
import { type Backoff, backoffDelayMs } from "../core/process/backoff.ts";
import type { Log } from "../core/process/log.ts";
import { formatCertificatesPem } from "../core/x509/pem.ts";
import { type Authority, createAuthority } from "./ca/authority.ts";
import type { IntermediateSource } from "./ca/intermediate-source.ts";
import type { KeyStore } from "./ca/key-store.ts";

export interface LoadAuthorityOptions {
  readonly keyStore: KeyStore;
  readonly trustDomain: string;
  /** By the mesh's settings of now. */
  readonly leafLifetimeSeconds: () => number;
  /** Who makes the intermediate, by the mesh's settings of now. */
  readonly intermediates: () => IntermediateSource;
  readonly publish: (rootsPem: string) => Promise<void>;
  readonly log: Log;
  readonly signal: AbortSignal;
}

const RETRY: Backoff = { minMs: 500, maxMs: 15_000 };

/** What waiting does not mend (a broken key, missing rights) is thrown. */
export async function loadAuthority(options: LoadAuthorityOptions): Promise<Authority> {
  for (let attempt = 0; ; attempt += 1) {
    try {
      const { keyStore, trustDomain, intermediates, signal } = options;
      const authority = await createAuthority({
        keyStore,
        trustDomain,
        intermediates,
        now: Date.now(),
        longestLeafSeconds: options.leafLifetimeSeconds,
        signal,
      });
      await options.publish(formatCertificatesPem(authority.bundle().roots));
      return authority;
    } catch (error) {
      if (!(error instanceof KubeError) || error.reason !== "unavailable") throw error;
      options.log.warn({ err: error }, "CA not loaded yet");
      const delayMs = backoffDelayMs(RETRY, attempt, Math.random());
      await delay(delayMs, undefined, { signal: options.signal });
    }
  }
}
