/** Why a request is answered 401 because of its token, in the words of the access log and of `x-weft-reason`. */

export type JwtRefusal =
  /** No JWT, or one whose header or claims have no valid form. */
  | "token_malformed"
  | "token_too_large"
  /** Two different ones: which of them would speak for the caller? */
  | "several_tokens"
  /** No rule takes tokens of its issuer from where it was found. */
  | "issuer_unknown"
  | "audience_refused"
  | "token_expired"
  | "token_not_yet_valid"
  /** None that an asymmetric key could have made, or none that the key may be used with. */
  | "algorithm_refused"
  /** The issuer has no such key. */
  | "key_unknown"
  | "signature_invalid"
  /** The issuer's keys could not be fetched, and none that were are still good. */
  | "keys_unavailable"
  /** A RequestAuthentication that could not be read, or has not arrived, selects the workload. */
  | "authentication_unreadable"
  | "authentication_missing";
