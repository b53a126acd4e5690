/**
 * How many requests a pod takes: as its node counts them, of everybody together or of each caller, header or claim; or
 * as one service counts them for all nodes.
 */

export interface RateLimit {
  /** `namespace/name` of the TrafficPolicy. */
  readonly policy: string;
  /** Unique in its policy; callers read it in `RateLimit-Policy`. */
  readonly name: string;
  /** The workload's, ascending, never empty; all of them are HTTP. */
  readonly ports: readonly number[];
  /** Without a "/" at its end; "": every path. Matches whole segments. */
  readonly pathPrefix: string;
  /** In upper case; empty: every method. */
  readonly methods: readonly string[];
  /** In lower case, without port; `*.` at the beginning stands for one label or more. Empty: every host. */
  readonly hosts: readonly string[];
  /** The request must have all of them, with exactly that value. Names in lower case, in their order. */
  readonly headers: readonly (readonly [name: string, value: string])[];
  readonly count: RateCount;
}

/** `global`: MeshConfig's rate limit service is asked with these, its own configuration says how many; never empty. */
export type RateCount =
  | { readonly kind: "local"; readonly by: RateKey; readonly quota: RateQuota }
  | { readonly kind: "global"; readonly entries: readonly RateEntry[] };

/** Of Envoy's descriptors. */
export interface RateEntry {
  readonly key: string;
  readonly value: RateEntryValue;
}

/** What a request does not have is told as "-". */
export type RateEntryValue =
  | { readonly kind: "text"; readonly text: string }
  /** Without the query. */
  | { readonly kind: "method" | "path" }
  /** The original client's, as policies see it in `remoteIpBlocks`. */
  | { readonly kind: "remoteAddress" }
  | Exclude<RateKey, { readonly kind: "everybody" }>;

/** Requests that have no such thing are counted together. */
export type RateKey =
  | { readonly kind: "everybody" }
  /** The caller's SPIFFE ID. */
  | { readonly kind: "identity" }
  /** Its name in lower case. */
  | { readonly kind: "header"; readonly name: string }
  /** Of the token that was verified, from the outermost object inwards. */
  | { readonly kind: "claim"; readonly path: readonly string[] };

/**
 * `fixed_window`: a window begins with a request, and takes so many. `sliding_window`: every stretch of time that is as
 * long as the window takes so many. `token_bucket`: every stretch takes `burst`, and its share of so many a window.
 */
export type RateQuota =
  | {
      readonly kind: "fixed_window" | "sliding_window";
      readonly requests: number;
      readonly windowMs: number;
    }
  | {
      readonly kind: "token_bucket";
      readonly requests: number;
      readonly windowMs: number;
      readonly burst: number;
    };

/** Beyond it a count is surely a mistake; times a day in milliseconds it is exact in a double. */
export const MAX_RATE_REQUESTS = 1_000_000;
/** Shorter ones cannot be told in the answer's headers, which count seconds. */
export const MIN_RATE_WINDOW_MS = 1000;
export const MAX_RATE_WINDOW_MS = 86_400_000;
