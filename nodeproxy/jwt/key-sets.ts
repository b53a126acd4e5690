/** The keys that rules verify by, one set for each place that they come from, whichever rules name it. */
import type { JwtRule } from "../../core/model/request-authentication.ts";
import { discoveryUri, readDiscovery } from "./discover-keys.ts";
import { type FetchKeysOptions, fetchKeys, type ResolveName } from "./fetch-keys.ts";
import type { KeyFetchReason } from "./key-fetch-error.ts";
import { type KeySet, parseKeySet } from "./key-set.ts";
import { RemoteKeys } from "./remote-keys.ts";

export interface KeySetsParts {
  readonly allowLocal: () => boolean;
  /** Of a set that could not be fetched. */
  readonly onFailed: (source: string, reason: KeyFetchReason, message: string) => void;
  readonly now?: () => number;
  readonly random?: () => number;
  readonly resolve?: ResolveName;
  readonly ca?: string;
}

export type RuleKeys = Pick<JwtRule, "issuer" | "keys" | "timeoutMs">;

export class KeySets {
  readonly #parts: KeySetsParts;
  readonly #remote = new Map<string, RemoteKeys>();
  readonly #inline = new Map<string, KeySet>();

  constructor(parts: KeySetsParts) {
    this.#parts = parts;
  }

  /** `undefined` where none are good. */
  async keys(rule: RuleKeys): Promise<KeySet | undefined> {
    return rule.keys.kind === "inline" ? this.#read(rule.keys.jwks) : this.#of(rule).keys();
  }

  /** For a token whose key is not among them. */
  async newerKeys(rule: RuleKeys): Promise<KeySet | undefined> {
    return rule.keys.kind === "inline" ? this.#read(rule.keys.jwks) : this.#of(rule).newerKeys();
  }

  /** Forgets the sets that no rule names any more. */
  retain(rules: Iterable<RuleKeys>): void {
    const sources = new Set(Array.from(rules, sourceOf));
    for (const sets of [this.#remote, this.#inline]) {
      for (const source of sets.keys()) if (!sources.has(source)) sets.delete(source);
    }
  }

  #read(jwks: string): KeySet {
    const known = this.#inline.get(jwks);
    if (known) return known;
    const parsed = parseKeySet(jwks);
    const keys = parsed.kind === "keys" ? parsed.keys : [];
    this.#inline.set(jwks, keys);
    return keys;
  }

  #of(rule: RuleKeys): RemoteKeys {
    const source = sourceOf(rule);
    const known = this.#remote.get(source);
    if (known) return known;
    const { now = Date.now, random = Math.random, onFailed } = this.#parts;
    const made = new RemoteKeys({
      fetch: () => this.#fetch(rule),
      onFailed: ({ reason, message }) => onFailed(source, reason, message),
      now,
      random,
    });
    this.#remote.set(source, made);
    return made;
  }

  async #fetch({ issuer, keys, timeoutMs }: RuleKeys): Promise<string> {
    const { allowLocal, resolve, ca } = this.#parts;
    const options: FetchKeysOptions = { timeoutMs, allowLocal: allowLocal(), resolve, ca };
    if (keys.kind === "uri") return fetchKeys(keys.uri, options);
    return fetchKeys(
      readDiscovery(await fetchKeys(discoveryUri(issuer), options), issuer),
      options,
    );
  }
}

/** Key of both maps: no inline set begins like a place. */
function sourceOf({ issuer, keys }: RuleKeys): string {
  switch (keys.kind) {
    case "inline":
      return keys.jwks;
    case "uri":
      return keys.uri;
    case "discovered":
      return `discovered ${issuer}`;
  }
}
