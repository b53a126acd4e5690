/** What the outbound listener of one captured pod needs to know and to do, narrowly: `traffic-app.ts` hands it in. */
import type { Workload } from "../../core/model/workload.ts";
import type { EjectReason } from "../balance/answer-outliers.ts";
import type { Balancers } from "../balance/balancers.ts";
import type { Party } from "../flow/connection-facts.ts";
import type { Connections } from "../flow/connections.ts";
import type { PodSlots } from "../flow/pod-slots.ts";
import type { Side, TcpSide } from "../flow/side.ts";
import type { EndpointChecks } from "../health/endpoint-checks.ts";
import type { RequestTracer } from "../http/request-tracer.ts";
import type { Destination, MeshView } from "./choose-upstream.ts";
import type { LatePools } from "./late-pools.ts";
import type { Resilience } from "./resilience.ts";
import type { Slots } from "./service-slots.ts";

export interface OutboundPod {
  readonly uid: string;
  readonly node: string;
  readonly view: MeshView;
  readonly connections: Connections;
  /** The pod's own addresses. */
  addresses(): readonly string[];
  /** Of its node. */
  nodeAddresses(): readonly string[];
  /** The pod itself as source. */
  party(): Party;
  partyOf(workload: Workload | undefined): Party;
  readonly balancers: Balancers;
  readonly slots: Slots;
  readonly resilience: Resilience;
  /** Connections that it may have open itself. */
  readonly ownSlots: PodSlots;
  readonly checks: EndpointChecks;
  /** Its connections to HTTP ports of Services. */
  readonly pools: LatePools;
  /** `undefined` while the mesh has no tracing. */
  tracer(): RequestTracer | undefined;
  /** An endpoint is left out for a while. */
  onEjected(service: string, endpoint: string, reason: EjectReason): void;
  /** Of failures, but not of each. */
  onPluginTrouble(plugin: string, code: string, message: string): void;
  /** It is not captured any more. */
  isClosed(): boolean;
  /** Zone of the node; "" where it is not known. */
  zone(): string;
  /** Where the connection was going before the redirect. Throws `SysError`. */
  destinationOf(socket: TcpSide): Destination;
  /** Marked socket in the pod's namespace. Throws `SysError`. */
  openSocket(family: 4 | 6): number;
  /** A stream through a tunnel to the workload. Rejects with `TunnelError`. */
  openStream(workload: Workload, to: Destination): Promise<Side>;
}
