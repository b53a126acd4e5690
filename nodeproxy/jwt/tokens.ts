/**
 * The tokens of requests to this node's pods, verified by keys that all pods share. What it takes to read them is
 * loaded with the first: few nodes need it.
 */
import type { JwtRule, RequestAuthentication } from "../../core/model/request-authentication.ts";
import type { Authentication, AuthenticationView, RequestAuthenticator } from "./authenticate.ts";
import type { TokenCarrier } from "./find-tokens.ts";
import type { KeySets } from "./key-sets.ts";

/** `Current` is one. */
interface TokensView extends AuthenticationView {
  requestAuthentications(): Iterable<RequestAuthentication>;
  settings(): { readonly localJwks?: boolean } | undefined;
}

interface Log {
  warn(facts: object, message: string): void;
}

interface Loaded {
  readonly authenticator: RequestAuthenticator;
  readonly keySets: KeySets;
}

export class Tokens {
  readonly #view: TokensView;
  readonly #log: Log;
  #loaded: Promise<Loaded> | undefined;

  constructor(view: TokensView, log: Log) {
    this.#view = view;
    this.#log = log;
  }

  async authenticate(uid: string, carrier: TokenCarrier): Promise<Authentication> {
    this.#loaded ??= this.#load();
    const { authenticator } = await this.#loaded;
    return authenticator.authenticate(uid, carrier);
  }

  /** Forgets keys that nobody names any more. */
  retain(): void {
    void this.#loaded?.then(({ keySets }) => keySets.retain(this.#rules()));
  }

  #rules(): readonly JwtRule[] {
    return Array.from(this.#view.requestAuthentications()).flatMap(({ rules }) => rules);
  }

  async #load(): Promise<Loaded> {
    const [{ RequestAuthenticator }, { KeySets }] = await Promise.all([
      import("./authenticate.ts"),
      import("./key-sets.ts"),
    ]);
    const keySets = new KeySets({
      allowLocal: () => this.#view.settings()?.localJwks ?? false,
      onFailed: (source, reason, message) => {
        this.#log.warn({ source, reason, detail: message }, "keys of tokens could not be fetched");
      },
    });
    return { authenticator: new RequestAuthenticator({ view: this.#view, keySets }), keySets };
  }
}
