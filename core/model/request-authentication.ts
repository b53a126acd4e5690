/** A RequestAuthentication as the node proxy applies it: which tokens a request may carry, and by whose keys they are verified. */

export interface RequestAuthentication {
  /** `namespace/name`. */
  readonly ref: string;
  /** Could not be understood although it passed admission: every request to what it selects is refused. */
  readonly invalid: boolean;
  readonly rules: readonly JwtRule[];
}

/** One issuer. A token of another one is refused, a request without a token passes. */
export interface JwtRule {
  /** Compared with `iss` character by character. */
  readonly issuer: string;
  /** One of them must be among the token's; empty: any will do. */
  readonly audiences: readonly string[];
  readonly keys: KeySource;
  /** Where tokens are looked for. Never all three empty: the defaults are filled in. */
  readonly fromHeaders: readonly TokenHeader[];
  readonly fromParams: readonly string[];
  readonly fromCookies: readonly string[];
  /** Lower case; "": to none. Base64url of the payload, as it stands in the token. */
  readonly outputPayloadToHeader: string;
  readonly outputClaimToHeaders: readonly ClaimToHeader[];
  /** False: the workload does not see the token. */
  readonly forwardOriginalToken: boolean;
  /** For fetching the keys. 1 ms to 10 min. */
  readonly timeoutMs: number;
}

export type KeySource =
  | { readonly kind: "inline"; readonly jwks: string }
  | { readonly kind: "uri"; readonly uri: string }
  /** Where the issuer's discovery document says (OpenID Connect Discovery 1.0, 4). */
  | { readonly kind: "discovered" };

export interface TokenHeader {
  /** Lower case. */
  readonly name: string;
  /** What stands before the token; "": nothing. */
  readonly prefix: string;
}

export interface ClaimToHeader {
  /** Lower case. */
  readonly header: string;
  /** From the outermost object inwards; never empty. */
  readonly claim: readonly string[];
}

/** Of an inline key set, in characters: it travels to every node. */
export const MAX_INLINE_JWKS = 65_536;
