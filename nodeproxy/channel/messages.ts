/**
 * What the two processes of the node proxy say to each other.
 *
 * Control (privileged, has the token and the snapshot) → traffic: descriptors, leaves, configuration.
 * Traffic (parses what pods send) → control: small facts only, checked by control before use.
 */
import type { DeniedAttempt } from "../../core/model/denied-attempt.ts";
import type { OlderTunnels } from "../../core/model/node-report.ts";
import type { Changes } from "../../core/model/resource.ts";

export type ToTraffic =
  /**
   * A captured pod. Descriptors beside it: the namespace, then for each family in `families` the
   * listening sockets of 15001, 15006 and 15008, in that order. Comes again after each hello: where the
   * namespace (its inode) is known under the UID, close the new descriptors and say `listening`.
   * A new namespace under a known UID comes after `pod_closed` for the one before.
   */
  | { readonly kind: "pod"; readonly uid: string; readonly families: readonly (4 | 6)[] }
  /** No process is left in the namespace, or the capture is released: stop listening, let connections end. */
  | { readonly kind: "pod_closed"; readonly uid: string }
  /**
   * Applied as one: readers never see half. `complete`, after each hello: all there is, so whatever is
   * held and not among its upserts is gone.
   */
  | {
      readonly kind: "changes";
      readonly changes: Changes;
      readonly complete?: true;
      /** Answered with `applied` of the same number, once whoever accepts anything goes by the changes. */
      readonly sequence?: number;
    }
  /** The leaf now served for an identity; replaces the one before without touching open connections. */
  | { readonly kind: "leaf"; readonly leaf: ServedLeaf }
  | { readonly kind: "leaf_dropped"; readonly identity: string }
  /** Answered with `metrics` of the same `id`. */
  | { readonly kind: "metrics_request"; readonly id: number }
  /** Answered with `denial` of the same `id`. */
  | { readonly kind: "denial_request"; readonly id: number; readonly denial: string }
  /** Stop accepting; report `drained` once the last connection has ended. A `pod` that comes later is accepted again. */
  | { readonly kind: "drain" };

/** Of the line itself, see `heartbeat.ts`: answered with `alive` by traffic's end of it. */
export interface AliveRequest {
  readonly kind: "alive_request";
}

export interface ServedLeaf {
  /** `spiffe://…` */
  readonly identity: string;
  /** PEM, leaf first, without the root. */
  readonly chainPem: string;
  readonly keyPem: string;
  readonly notAfterMs: number;
}

export type FromTraffic =
  /** The traffic process is up and asks for everything. */
  | { readonly kind: "hello"; readonly pid: number }
  /** Its event loop turns. */
  | { readonly kind: "alive" }
  /** Listeners of the pod accept. */
  | { readonly kind: "listening"; readonly uid: string }
  | { readonly kind: "drained" }
  /** The `changes` of that number are in force, and all before them. */
  | { readonly kind: "applied"; readonly sequence: number }
  /** In Prometheus' text format; control believes none of it, see `telemetry/merge-metrics.ts`. */
  | { readonly kind: "metrics"; readonly id: number; readonly text: string }
  /** Without `attempt` where it is not kept, or not any more. */
  | { readonly kind: "denial"; readonly id: number; readonly attempt?: DeniedAttempt }
  /**
   * Live tunnels by the certificates that issued the leaves of their two ends: after each `changes` that is complete,
   * and every second while something changed.
   */
  | { readonly kind: "tunnel_issuers"; readonly issuers: readonly OlderTunnels[] }
  /** Answer to nothing in particular: every second while something changed. For admin and reports. */
  | { readonly kind: "connections"; readonly open: readonly OpenConnection[] };

export interface OpenConnection {
  readonly id: number;
  readonly direction: "inbound" | "outbound";
  /** UID of the pod of this node whose connection it is. */
  readonly workload: string;
  readonly peer: string;
  readonly source: string;
  readonly destination: string;
  readonly tunnelled: boolean;
  readonly sinceMs: number;
  readonly bytesSent: number;
  readonly bytesReceived: number;
}
