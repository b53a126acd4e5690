/** What the inbound listeners of one captured pod need to know and to do, narrowly: `traffic-app.ts` hands it in. */
import type { Enrolment } from "../../core/model/enrolment.ts";
import type { Authorizers } from "../ext-authz/authorizers.ts";
import type { Party } from "../flow/connection-facts.ts";
import type { Connections } from "../flow/connections.ts";
import type { PodSlots } from "../flow/pod-slots.ts";
import type { RequestTracer } from "../http/request-tracer.ts";
import type { Authentication } from "../jwt/authenticate.ts";
import type { TokenCarrier } from "../jwt/find-tokens.ts";
import type { LimitedRequest } from "../limit/limit-match.ts";
import type { Admission } from "../limit/rate-limits.ts";
import type { RateService } from "../rate-service/rate-service.ts";
import type { Judge } from "./judge.ts";
import type { OpenExchanges } from "./open-exchanges.ts";

export interface InboundPod {
  readonly uid: string;
  readonly connections: Connections;
  readonly judge: Judge;
  /** Asked in the pod's name. */
  readonly authorizers: Pick<Authorizers, "ask" | "termsOf">;
  /** Requests that it serves now. */
  readonly exchanges: OpenExchanges;
  /** Whose request it is, by its token. Never rejects. */
  authenticate(carrier: TokenCarrier): Promise<Authentication>;
  /** `undefined` while the mesh has no tracing. */
  tracer(): RequestTracer | undefined;
  /** As MeshConfig says. */
  trustedProxies(): number;
  /** What the rate limits say to a request that policies permit; where none refuses it, it is counted. */
  admit(request: LimitedRequest): Admission;
  /** Asked about limits that are counted elsewhere, in the pod's name. */
  readonly rateService: Pick<RateService, "ask">;
  /** Connections that it may be called by at once. */
  readonly slots: PodSlots;
  /** Tunnels to it, from the first byte of their handshakes on. */
  readonly tunnelSlots: PodSlots;
  /** `undefined` where the configuration does not know the pod (yet): everything is refused. */
  enrolment(): Enrolment | undefined;
  /** The pod itself as destination. */
  party(): Party;
  /** Who lives behind a caller's address, for log and metrics only. */
  partyAt(address: string): Party;
  /** UID of the workload that has this address and this identity now; "" where none is known. */
  callerUid(address: string, identity: string): string;
  /** Socket in the pod's namespace bound to the caller's address. Throws `SysError`. */
  openSocket(family: 4 | 6, sourceAddress: string): number;
}
