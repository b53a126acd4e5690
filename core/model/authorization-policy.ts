/**
 * AuthorizationPolicy as the node proxy enforces it: names resolved, selectors gone, read as on an
 * opaque port.
 *
 * `operator/compile/authorization.ts` makes these, the wire carries them unchanged, and
 * `nodeproxy/authz/` is the only judge of them (invariant 3).
 */
import type { Cidr } from "./ip.ts";

export type PolicyAction = "ALLOW" | "DENY" | "AUDIT" | "CUSTOM";

export interface CompiledPolicy {
  /** `namespace/name`, for logs, metrics and `Enrolment.policies`. */
  readonly ref: string;
  readonly action: PolicyAction;
  /** Evaluated, counted and logged, but never decides (annotation `weft.dev/dry-run`). */
  readonly dryRun: boolean;
  /**
   * Could not be understood although it passed admission: an ALLOW then matches nothing, a DENY or
   * CUSTOM matches everything.
   */
  readonly invalid: boolean;
  /** Rules ORed. An ALLOW without rules matches nothing, so it denies all. Order is that of the object. */
  readonly rules: readonly Rule[];
}

/** `from` AND `to` AND `when`. An empty list does not constrain. */
export interface Rule {
  /** Index of the rule in the object's `spec.rules`, for logs and `explain`. */
  readonly index: number;
  /** ORed. */
  readonly from: readonly Source[];
  /** ORed. */
  readonly to: readonly Operation[];
  /** ANDed. */
  readonly when: readonly Condition[];
}

/** Fields ANDed; the values of one field ORed; empty does not constrain; `notX` is NOT(OR of its values). */
export interface Source {
  readonly principals: readonly StringMatch[];
  readonly notPrincipals: readonly StringMatch[];
  readonly namespaces: readonly StringMatch[];
  readonly notNamespaces: readonly StringMatch[];
  readonly serviceAccounts: readonly ServiceAccountRef[];
  readonly notServiceAccounts: readonly ServiceAccountRef[];
  readonly trustDomains: readonly StringMatch[];
  readonly notTrustDomains: readonly StringMatch[];
  readonly ipBlocks: readonly Cidr[];
  readonly notIpBlocks: readonly Cidr[];
}

/** The workload's ports, never the service's or the tunnel's. */
export interface Operation {
  readonly ports: readonly number[];
  readonly notPorts: readonly number[];
}

/** `values` and `notValues` ANDed; each list ORed. */
export type Condition =
  | {
      readonly key: "source.principal" | "source.namespace" | "source.trustDomain";
      readonly values: readonly StringMatch[];
      readonly notValues: readonly StringMatch[];
    }
  | {
      readonly key: "source.serviceAccount";
      readonly values: readonly ServiceAccountRef[];
      readonly notValues: readonly ServiceAccountRef[];
    }
  | {
      readonly key: "source.ip" | "destination.ip";
      readonly values: readonly Cidr[];
      readonly notValues: readonly Cidr[];
    }
  | {
      readonly key: "destination.port";
      readonly values: readonly number[];
      readonly notValues: readonly number[];
    };

/** `present` is `*`: any value that is not empty. No regular expression is ever built from user text. */
export type StringMatch =
  | { readonly kind: "exact" | "prefix" | "suffix"; readonly value: string }
  | { readonly kind: "present" };

export interface ServiceAccountRef {
  readonly namespace: string;
  readonly name: string;
}
