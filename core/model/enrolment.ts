/** What a node proxy must do for one pod of its own node: capture it, and rule it by these policies. */
import type { CaptureExclusions } from "./capture-exclusions.ts";
import type { MtlsModes } from "./mtls-modes.ts";
import type { RateLimit } from "./rate-limit.ts";

export interface Enrolment {
  /** The pod's UID. */
  readonly uid: string;
  readonly namespace: string;
  readonly name: string;
  readonly serviceAccount: string;
  readonly addresses: readonly string[];
  /** File source only: path of the network namespace; "" means find it by the pod's cgroup. */
  readonly netnsPath: string;
  /** Names (`namespace/name`) of the compiled policies that select the pod, sorted. One that has not arrived denies. */
  readonly policies: readonly string[];
  /** Names (`namespace/name`) of the RequestAuthentications that select the pod, sorted; absent: none. */
  readonly requestAuthentications?: readonly string[];
  readonly modes: MtlsModes;
  /** Ports whose requests are judged one by one, ascending; absent: none. All others are opaque. */
  readonly httpPorts?: readonly HttpPort[];
  /** Ports on which callers' TLS is asked which server it names, ascending; absent: none. Nothing else there is read. */
  readonly tlsPorts?: readonly number[];
  /** Of requests on these ports; absent: none. */
  readonly rateLimits?: readonly RateLimit[];
  /** What kubelet may ask over plaintext even under STRICT; the node proxy performs them itself. */
  readonly probes: readonly Probe[];
  /** Addresses of the pod's node, from which kubelet probes. They only select the probe's way, they grant nothing. */
  readonly nodeAddresses: readonly string[];
  readonly exclusions: CaptureExclusions;
  /** For telemetry, as in Workload. */
  readonly owner: string;
  /** Zone of the pod's node; "" where it is not known. */
  readonly zone: string;
}

export interface HttpPort {
  /** The workload's. */
  readonly port: number;
  /** What is spoken there, by declaration and never by what the first bytes look like; `http2`: with prior knowledge. */
  readonly version: HttpVersion;
}

export type HttpVersion = "http1" | "http2";

export type Probe =
  | {
      readonly kind: "http";
      readonly port: number;
      readonly scheme: "HTTP" | "HTTPS";
      /** Path and query exactly as declared. */
      readonly path: string;
      readonly headers: readonly { readonly name: string; readonly value: string }[];
      readonly timeoutMs: number;
    }
  | { readonly kind: "tcp"; readonly port: number; readonly timeoutMs: number }
  | {
      readonly kind: "grpc";
      readonly port: number;
      readonly service: string;
      readonly timeoutMs: number;
    };
