/** One call that policy refused, or ended while it was open, as its node remembers it. No token, key or header is part of it. */
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
}
