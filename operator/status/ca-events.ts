/**
 * Says in Events about the Secret `weft-ca` what people have to know of the CA: a root or an intermediate
 * that ends and is not renewed, and an intermediate that was. The leader's alone.
 */
import type { KubeApi } from "../../core/kube/kube-api.ts";
import { KubeError } from "../../core/kube/kube-error.ts";
import type { Log } from "../../core/process/log.ts";
import { CA_SECRET } from "../kube/config-objects.ts";
import { createEvent, type ObjectEvent } from "../kube/status-patches.ts";

/** A root is exchanged by people, who need time to plan for it. */
const ROOT_WARNING_MS = 365 * 24 * 3_600_000;
const DAY_MS = 24 * 3_600_000;

export interface CaEventsOptions {
  readonly api: KubeApi;
  readonly namespace: string;
  readonly log: Log;
}

/** What the last look at the CA brought. */
export interface CaChange {
  /** `renewed`: a new intermediate; no other is worth an Event. */
  readonly change: string;
  /** What signs ends soon, and nobody has renewed it. */
  readonly isEnding: boolean;
}

interface Ends {
  readonly rootMs: number;
  /** Of the certificate that signs leaves: the root's where that is itself. */
  readonly intermediateMs: number;
}

export class CaEvents {
  readonly #options: CaEventsOptions;
  /** Names of warnings of today that are written. */
  readonly #told = new Set<string>();

  constructor(options: CaEventsOptions) {
    this.#options = options;
  }

  /** Never rejects. */
  async tell({ change, isEnding }: CaChange, { rootMs, intermediateMs }: Ends): Promise<void> {
    const now = Date.now();
    if (change === "renewed") {
      const message = `the intermediate was renewed and ends at ${formatTime(intermediateMs)}`;
      await this.#write({ type: "Normal", reason: "CertificateRenewed", message });
    }
    // Of a CA without an intermediate the root signs, and one warning will do.
    if (isEnding && intermediateMs !== rootMs) {
      const message = `the certificate that signs for the mesh ends at ${formatTime(intermediateMs)} and nothing renews it: see docs/certificates.md`;
      await this.#warn("intermediate", message, now);
    }
    if (rootMs - now < ROOT_WARNING_MS) {
      const message = `the mesh's root ends at ${formatTime(rootMs)}: exchange it with weftctl ca rotate root`;
      await this.#warn("root", message, now);
    }
  }

  /** At most one a day: its name has the day in it, so neither another leader nor a restart says it again. */
  async #warn(certificate: string, message: string, now: number): Promise<void> {
    const day = formatTime(Math.floor(now / DAY_MS) * DAY_MS).slice(0, 10);
    const name = `weft-ca-${certificate}-expiring-${day}`;
    if (this.#told.has(name)) return;
    const isWritten = await this.#write({
      type: "Warning",
      reason: "CertificateExpiring",
      message,
      name,
    });
    if (!isWritten) return;
    for (const told of this.#told) if (!told.endsWith(day)) this.#told.delete(told);
    this.#told.add(name);
  }

  async #write(event: ObjectEvent): Promise<boolean> {
    const { api, namespace, log } = this.#options;
    const secret = { apiVersion: "v1", kind: "Secret", namespace, name: CA_SECRET, uid: "" };
    try {
      await createEvent(api, secret, event);
      return true;
    } catch (error) {
      if (error instanceof KubeError && error.reason === "already_exists") return true;
      log.warn({ err: error, reason: event.reason }, "event not written");
      return false;
    }
  }
}

function formatTime(milliseconds: number): string {
  return new Date(milliseconds).toISOString();
}
