/** What is asked by `weftctl why`, and what a node answers: plain values, the same over the admin endpoint and from files. */
import type { DeniedAttempt } from "../../core/model/denied-attempt.ts";
import type { MtlsMode } from "../../core/model/mtls-modes.ts";
import type { SpiffeId } from "../../core/model/spiffe-id.ts";
import type { Claims } from "../authz/attempt.ts";
import type { Explanation } from "../authz/explain.ts";
import type { DenyReason, Outcome } from "../authz/verdict.ts";

/** Of the shape of questions and answers: a node of another version says so. */
export const FORMAT = 1;

export interface WhyQuery {
  /** `[sa:|pod:]NAMESPACE/NAME`, `spiffe://…` or an address. */
  readonly from: string;
  /** `[svc:|pod:]NAMESPACE/NAME[:PORT]` or `ADDRESS:PORT`. */
  readonly to: string;
  /** As if the caller proved nothing, whatever it could prove. */
  readonly plaintext: boolean;
  /** As if the port were read as HTTP, whatever it is. */
  readonly asHttp: boolean;
  /** The server that the call's TLS would name, where that is read; absent: none. */
  readonly sni?: string;
  /** What the call would say in HTTP. */
  readonly request?: RequestFacts;
}

export interface RequestFacts {
  readonly method?: string;
  readonly path?: string;
  readonly host?: string;
  /** Names in lower case. */
  readonly headers: readonly (readonly [string, string])[];
  /** Of a token, taken for verified. */
  readonly claims?: Claims;
}

export interface Caller {
  readonly kind: "pod" | "service_account" | "identity" | "address";
  /** `namespace/name`, SPIFFE ID or address. */
  readonly name: string;
  /** What it proves where it calls through a tunnel. */
  readonly identity?: SpiffeId;
  /** "" where it is not known. */
  readonly address: string;
  /** Its own node takes it into tunnels. */
  readonly tunnels: boolean;
}

/** One place where the call can end. */
export interface Target {
  /** `namespace/name` of the pod, "" where the mesh knows none. */
  readonly workload: string;
  readonly uid: string;
  /** Of the pod: who enforces. */
  readonly node: string;
  readonly address: string;
  /** The workload's own port. */
  readonly port: number;
}

export interface Judgement {
  /**
   * `yes`: by this node. Else nothing of what follows is: the pod is not in the mesh, not captured (yet),
   * or the port is excluded from capture.
   */
  readonly enforced: "yes" | "not_in_mesh" | "not_captured" | "port_excluded";
  readonly arrives: "mutual_tls" | "plaintext";
  /** Why it arrives so, where it is not as it usually is. */
  readonly arrivesBecause: "" | "caller_outside" | "mode_disable" | "asked_for" | "not_captured";
  /** PeerAuthentication of the port; absent for a pod that is not in the mesh. */
  readonly mode?: MtlsMode;
  /** `tls`: for the server that it names, and nothing else. */
  readonly readAs: "opaque" | "tls" | "http";
  /** What tokens the pod's requests may carry, read as HTTP; absent: nobody looks for any. */
  readonly requestAuthentications?: readonly JudgedAuthentication[];
  /** Of a request with a token: policies see its claims, or nobody looks for it and they do not. */
  readonly token?: "taken" | "not_looked_at";
  /** What became of it, everything considered. */
  readonly outcome: JudgedOutcome;
  /** Attributes of policies that nobody can look at on this port; not of policies whose rules are `untold`. */
  readonly ignored: readonly IgnoredAttribute[];
  /** By policies alone, also where the port's mode has decided before; absent for a pod that is not in the mesh. */
  readonly explanation?: Explanation;
  /** Where an external authorizer has the word: what it comes to if all of them say yes. */
  readonly ifProvidersPermit?: { readonly asked: readonly string[]; readonly outcome: Outcome };
}

export type JudgedOutcome =
  | Extract<Outcome, { readonly kind: "permit" }>
  | {
      readonly kind: "deny";
      readonly reason: DenyReason | TokenDenial | "own_port";
      readonly policy?: string;
      readonly rule?: number;
      /** The provider that was not asked here. */
      readonly ask?: string;
    };

/** Answered 401, in the words of `jwt/refusal.ts`; the others there are told of real tokens alone. */
export type TokenDenial = "issuer_unknown" | "authentication_missing" | "authentication_unreadable";

export interface JudgedAuthentication {
  /** `namespace/name` of the RequestAuthentication. */
  readonly policy: string;
  /** `unreadable`, or it has not arrived (`missing`): each request is refused. */
  readonly state: "applies" | "unreadable" | "missing";
  /** Whose tokens it takes, and from where: `header authorization: Bearer`, `parameter access_token`, `cookie sid`. */
  readonly issuers: readonly { readonly issuer: string; readonly places: readonly string[] }[];
}

export interface IgnoredAttribute {
  readonly policy: string;
  readonly rule: number;
  /** `to[0].methods`, `when[1].request.headers[x]`, … */
  readonly field: string;
  /** Of an ALLOW rule: it never matches here. Of the others: the rest stays, so the rule is wider. */
  readonly effect: "rule_dropped" | "attribute_erased";
}

export interface JudgedTarget extends Target {
  /** Absent where another node enforces: that one is to be asked. */
  readonly judgement?: Judgement;
}

export type WhyAnswer =
  | {
      readonly kind: "answer";
      readonly format: number;
      readonly node: string;
      readonly caller: Caller;
      readonly destination: {
        readonly kind: "pod" | "service" | "address";
        readonly name: string;
        /** As asked for, or the only one there is. */
        readonly port: number;
      };
      /** In the order of their names. */
      readonly targets: readonly JudgedTarget[];
      /** Sentences for people. */
      readonly notes: readonly string[];
    }
  | { readonly kind: "unknown"; readonly format: number; readonly reason: string };

export type DenialAnswer =
  | {
      readonly kind: "denial";
      readonly format: number;
      readonly node: string;
      readonly attempt: DeniedAttempt;
      /** What the policies of now make of it; absent where the pod is not this node's any more. */
      readonly now?: Judgement;
      /** The deciding policy since then; `none`: no policy decided alone. */
      readonly decided: "same" | "changed" | "gone" | "none";
    }
  | { readonly kind: "not_kept"; readonly format: number; readonly node: string };
