/** One call that policy refused, or ended while it was open, as its node remembers it. No token and no key is part of it. */
import type { SpiffeId } from "./spiffe-id.ts";

export interface DeniedAttempt {
  /** As in the access log: `denial`. */
  readonly id: string;
  /** Milliseconds since the epoch. */
  readonly timeMs: number;
  /** Why, in the words of the access log. */
  readonly code: string;
  /** The policy that decided, where one did alone. */
  readonly decided?: DecidingPolicy;
  /** It was open, and a change of policy ended it. */
  readonly wasOpen: boolean;
  /** UID of the pod called, and its `namespace/name`. */
  readonly pod: string;
  readonly workload: string;
  /** `address:port` of the caller, and `namespace/name` of the pod behind the address; "" outside the mesh. */
  readonly source: string;
  readonly sourceWorkload: string;
  readonly facts: DeniedFacts;
}

export interface DecidingPolicy {
  /** `namespace/name`. */
  readonly policy: string;
  /** Index of the rule in the object. */
  readonly rule?: number;
  /** Of its content then (`policyMark()`); "" where the policy was not there. */
  readonly mark: string;
}

/** What policies were asked about. Addresses in canonical text. */
export interface DeniedFacts {
  /** Proven; absent for plaintext. */
  readonly peer?: SpiffeId;
  readonly sourceIp: string;
  readonly destinationIp: string;
  readonly destinationPort: number;
  readonly sni?: string;
  readonly remoteIp?: string;
  readonly request?: DeniedRequest;
}

/** A request as far as it is kept: no query, no body, and of headers that may hold a secret only their names. */
export interface DeniedRequest {
  readonly method: string;
  readonly path: string;
  readonly host: string;
  /** Names in lower case, in order. */
  readonly headers: readonly (readonly [name: string, value: string])[];
  /** Names of headers whose values are not kept. */
  readonly withheld: readonly string[];
  /** Of the token that was verified; no other claim of it. */
  readonly token?: { readonly issuer: string; readonly subject: string };
}
