/**
 * The keys of one issuer, fetched when first asked for and kept fresh: one fetch at a time, whoever asks.
 *
 * Where fetching fails the last good keys serve until their time ends, then nothing does (fail
 * closed); there is no default key. Tries again after a while that grows.
 */
import { KeyFetchError } from "./key-fetch-error.ts";
import { type KeySet, parseKeySet } from "./key-set.ts";

export interface RemoteKeysParts {
  /** Text of the set. Throws `KeyFetchError`. */
  readonly fetch: () => Promise<string>;
  readonly onFailed: (error: KeyFetchError) => void;
  readonly now: () => number;
  readonly random: () => number;
}

/** Asked for again, while the ones held go on serving. */
const FRESH_MS = 300_000;
/** Without a newer set; an issuer that takes a key back counts on that. */
const GOOD_MS = 3_600_000;
/** A token may name any key it likes: so often the issuer is asked about those. */
const UNKNOWN_KEY_MS = 30_000;
const FIRST_WAIT_MS = 1_000;
const LONGEST_WAIT_MS = 60_000;

export class RemoteKeys {
  readonly #parts: RemoteKeysParts;
  #held: { readonly keys: KeySet; readonly sinceMs: number } | undefined;
  #fetching: Promise<void> | undefined;
  #triedMs = Number.NEGATIVE_INFINITY;
  #waitMs = 0;

  constructor(parts: RemoteKeysParts) {
    this.#parts = parts;
  }

  /** `undefined` where none are good. */
  async keys(): Promise<KeySet | undefined> {
    const { now } = this.#parts;
    const ageMs = this.#held ? now() - this.#held.sinceMs : Number.POSITIVE_INFINITY;
    if (ageMs >= FRESH_MS) {
      const fetching = this.#fetch(this.#waitMs);
      if (ageMs >= GOOD_MS) await fetching;
    }
    return this.#good();
  }

  /** For a token whose key is not among them: a newer set, if it may be asked for. */
  async newerKeys(): Promise<KeySet | undefined> {
    await this.#fetch(Math.max(UNKNOWN_KEY_MS, this.#waitMs));
    return this.#good();
  }

  #good(): KeySet | undefined {
    const held = this.#held;
    return held && this.#parts.now() - held.sinceMs < GOOD_MS ? held.keys : undefined;
  }

  /** Resolves at once where the last try is not so long ago; never rejects. */
  async #fetch(leastAgeMs: number): Promise<void> {
    if (!this.#fetching) {
      if (this.#parts.now() - this.#triedMs < leastAgeMs) return;
      this.#triedMs = this.#parts.now();
      this.#fetching = this.#try().finally(() => {
        this.#fetching = undefined;
      });
    }
    await this.#fetching;
  }

  async #try(): Promise<void> {
    const { fetch, now, onFailed, random } = this.#parts;
    try {
      const parsed = parseKeySet(await fetch());
      if (parsed.kind === "refused") {
        throw new KeyFetchError(parsed.reason, "the answer is no set with a usable key");
      }
      this.#held = { keys: parsed.keys, sinceMs: now() };
      this.#waitMs = 0;
    } catch (error) {
      const doubled = Math.min(LONGEST_WAIT_MS, Math.max(FIRST_WAIT_MS, this.#waitMs * 2));
      this.#waitMs = doubled * (0.9 + 0.2 * random());
      if (!(error instanceof KeyFetchError)) throw error;
      onFailed(error);
    }
  }
}
