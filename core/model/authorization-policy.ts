/**
 * AuthorizationPolicy as the node proxy enforces it: names resolved, selectors gone, values checked.
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
  /** Whom a CUSTOM policy asks; absent for the other actions and where it could not be read. */
  readonly provider?: string;
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
  /** Present only where one of its lists is not empty. */
  readonly layer7?: SourceLayer7;
}

/** What only a request, or a proxy in front, can tell of the caller. */
export interface SourceLayer7 {
  readonly requestPrincipals: readonly RequestPrincipalMatch[];
  readonly notRequestPrincipals: readonly RequestPrincipalMatch[];
  readonly remoteIpBlocks: readonly Cidr[];
  readonly notRemoteIpBlocks: readonly Cidr[];
}

export interface Operation {
  /** The workload's, never the service's or the tunnel's. */
  readonly ports: readonly number[];
  readonly notPorts: readonly number[];
  /** Present only where one of its lists is not empty. */
  readonly layer7?: OperationLayer7;
}

export interface OperationLayer7 {
  /** Compared without regard to case, and with the request's host with and without its port. */
  readonly hosts: readonly StringMatch[];
  readonly notHosts: readonly StringMatch[];
  readonly methods: readonly StringMatch[];
  readonly notMethods: readonly StringMatch[];
  readonly paths: readonly PathMatch[];
  readonly notPaths: readonly PathMatch[];
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
    }
  | Layer7Condition;

export type Layer7Condition =
  | {
      readonly key: "connection.sni" | "request.auth.audiences" | "request.auth.presenter";
      readonly values: readonly StringMatch[];
      readonly notValues: readonly StringMatch[];
    }
  | {
      readonly key: "request.headers";
      /** Lower case. */
      readonly name: string;
      readonly values: readonly StringMatch[];
      readonly notValues: readonly StringMatch[];
    }
  | {
      readonly key: "request.auth.claims";
      /** From the outermost object inwards; never empty. */
      readonly path: readonly string[];
      readonly values: readonly StringMatch[];
      readonly notValues: readonly StringMatch[];
    }
  | {
      readonly key: "request.auth.principal";
      readonly values: readonly RequestPrincipalMatch[];
      readonly notValues: readonly RequestPrincipalMatch[];
    }
  | {
      readonly key: "remote.ip";
      readonly values: readonly Cidr[];
      readonly notValues: readonly Cidr[];
    };

/** `present` is `*`: any value that is not empty. No regular expression is ever built from user text. */
export type StringMatch =
  | { readonly kind: "exact" | "prefix" | "suffix"; readonly value: string }
  | { readonly kind: "present" };

/** A template's segments: `{*}` is one segment that is not empty, `{**}` (once at most, the last of the braces) any text, slashes too. */
export type PathMatch = StringMatch | { readonly kind: "template"; readonly value: string };

/** `issuer/subject`, split at the last `/`, so that no slash in a token can move what is compared with which. */
export interface RequestPrincipalMatch {
  readonly issuer: StringMatch;
  readonly subject: StringMatch;
}

export interface ServiceAccountRef {
  readonly namespace: string;
  readonly name: string;
}
