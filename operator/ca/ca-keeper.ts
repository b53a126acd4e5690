/**
 * Looks after the CA from time to time, says in the log what has happened to it, and tells who has to know of
 * a change. Whoever makes it calls `look()`, at its own pace.
 */
import type { Log } from "../../core/process/log.ts";
import type { Authority, CaLook } from "./authority.ts";
import { CaError } from "./ca-error.ts";

/** What stays wrong is told so often, not at every look. */
const REPEAT_MS = 3_600_000;

export interface CaKeeperOptions {
  readonly authority: Pick<Authority, "look" | "expiry">;
  /** Of the key store. */
  readonly place: string;
  readonly log: Log;
  /** Another certificate signs from now on; the roots may be others as well. */
  readonly onChanged: () => void;
}

export class CaKeeper {
  readonly #options: CaKeeperOptions;
  /** Message → when it was told. */
  readonly #told = new Map<string, number>();

  constructor(options: CaKeeperOptions) {
    this.#options = options;
  }

  /** Never rejects; `undefined` where it failed. `mayWrite` for the leader only. */
  async look(mayWrite: boolean): Promise<CaLook | undefined> {
    const { authority, place, log } = this.#options;
    const now = Date.now();
    try {
      const look = await authority.look({ now, mayWrite });
      this.#tell(look.change);
      if (look.isEnding) this.#warn(now);
      return look;
    } catch (error) {
      const message = Error.isError(error) ? error.message : "";
      if (!this.#isNews(message, now)) return undefined;
      const reason = error instanceof CaError ? error.reason : undefined;
      log.error({ place, reason, err: error }, "CA not looked after; the one from before signs");
      return undefined;
    }
  }

  #tell(change: CaLook["change"]): void {
    const { place, log, onChanged } = this.#options;
    if (change === "restored") log.warn({ place }, "CA was removed, and is put back");
    if (change === "taken") log.warn({ place }, "CA was exchanged, and the new one signs");
    if (change === "rotated") log.info({ place }, "CA follows its rotation");
    if (change === "renewed") log.info({ place }, "intermediate renewed");
    if (change === "taken" || change === "rotated" || change === "renewed") onChanged();
  }

  #warn(now: number): void {
    const { authority, place, log } = this.#options;
    const message = "the CA's certificate ends and is not renewed here: see docs/certificates.md";
    if (!this.#isNews(message, now)) return;
    const end = new Date(authority.expiry().intermediateMs).toISOString();
    log.warn({ place, reason: "ca_ending", notAfter: end }, message);
  }

  #isNews(message: string, now: number): boolean {
    const isNews = now - (this.#told.get(message) ?? -Infinity) >= REPEAT_MS;
    if (isNews) this.#told.set(message, now);
    return isNews;
  }
}
