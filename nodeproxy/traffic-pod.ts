/**
 * One captured pod in the traffic process: its namespace, its listeners, and what they are allowed to
 * do. Lives from control's `pod` message until the capture ends; its connections may outlive it.
 */
import type { Server } from "node:net";
import type { Enrolment } from "../core/model/enrolment.ts";
import type { ResourceKind } from "../core/model/resource.ts";
import type { Log } from "../core/process/log.ts";
import { authorizersOf, rateServiceOf } from "./asked-services.ts";
import type { CallerParts } from "./caller-parts.ts";
import type { Authorizers } from "./ext-authz/authorizers.ts";
import type { Party } from "./flow/connection-facts.ts";
import type { Connections } from "./flow/connections.ts";
import { type PodLimits, PodSlots } from "./flow/pod-slots.ts";
import type { TcpSide } from "./flow/side.ts";
import type { TlsContexts } from "./identity/tls-context.ts";
import type { InboundPod } from "./inbound/inbound-pod.ts";
import type { Judge } from "./inbound/judge.ts";
import type { GoneCaller } from "./inbound/open-tunnels.ts";
import type { ProbePerformer } from "./inbound/perform-probe.ts";
import { takePlaintext } from "./inbound/plaintext-listener.ts";
import { TunnelListener } from "./inbound/tunnel-listener.ts";
import type { Authentication } from "./jwt/authenticate.ts";
import type { TokenCarrier } from "./jwt/find-tokens.ts";
import { LocalMeters } from "./limit/meters.ts";
import { RateLimits } from "./limit/rate-limits.ts";
import { type Listening, listenOn } from "./listen-on.ts";
import type { FamilyListeners } from "./listeners-of.ts";
import { takeOutbound } from "./outbound/carry-out.ts";
import { LatePools } from "./outbound/late-pools.ts";
import type { OutboundPod } from "./outbound/outbound-pod.ts";
import { retainEndpoints } from "./outbound/retain-endpoints.ts";
import type { Parties } from "./parties.ts";
import type { RateService } from "./rate-service/rate-service.ts";
import type { Current } from "./state/current.ts";
import type { NetworkNamespace } from "./sys/namespace.ts";
import { originalDestination } from "./sys/original-destination.ts";
import { openOutboundSocket, openTransparentSocket } from "./sys/tcp-socket.ts";
import { createRawServer, createStreamServer, descriptorOf } from "./tcp/accept.ts";
import type { LateTracing } from "./tracing/late-tracing.ts";
import type { TrafficShares } from "./traffic-options.ts";
import type { TunnelPool } from "./tunnel/pool.ts";
import type { IsRevoked } from "./tunnel/revoked-end.ts";
import { TunnelError } from "./tunnel/tunnel-error.ts";
import type { TunnelIssuers } from "./tunnel/tunnel-issuers.ts";

export interface TrafficParts extends CallerParts {
  readonly node: string;
  readonly tracing: LateTracing;
  readonly log: Log;
  readonly current: Current;
  readonly connections: Connections;
  readonly parties: Parties;
  readonly judge: Judge;
  readonly authenticate: (uid: string, carrier: TokenCarrier) => Promise<Authentication>;
  readonly contexts: TlsContexts;
  readonly issuers: TunnelIssuers;
  readonly pool: TunnelPool;
  readonly probes: ProbePerformer;
  /** A pod that is gone has no identity any more. */
  readonly isGone: (uid: string) => boolean;
  readonly limits: PodLimits;
  /** Where others count the same pods' things. */
  readonly shares: Pick<TrafficShares, "countOf" | "metersOf"> | undefined;
  /** Closes the descriptor of a pod's namespace. */
  readonly leaveNamespace: (fd: number) => void;
}

export interface PodSource {
  readonly uid: string;
  readonly namespace: NetworkNamespace;
  readonly listeners: readonly FamilyListeners[];
}

export class TrafficPod {
  readonly uid: string;
  readonly namespace: NetworkNamespace;
  readonly #parts: TrafficParts;
  readonly #servers: Server[] = [];
  readonly #tunnels: TunnelListener[] = [];
  readonly #authorizers: Authorizers;
  readonly #limits: RateLimits;
  readonly #rateService: RateService;
  readonly #calling: PodSlots;
  readonly #called: PodSlots;
  readonly #calledByTunnels: PodSlots;
  readonly #pools = new LatePools();
  /** For tunnels that it opens. */
  readonly callingTunnels: PodSlots;
  #stopped: Promise<unknown> | undefined;
  #isClosed = false;

  constructor(source: PodSource, parts: TrafficParts) {
    const { uid } = source;
    const { countOf, metersOf } = parts.shares ?? {};
    const { connections, tunnels } = parts.limits;
    this.#calling = new PodSlots(connections, countOf?.(`${uid} calling`));
    this.#called = new PodSlots(connections, countOf?.(`${uid} called`));
    this.#calledByTunnels = new PodSlots(tunnels, countOf?.(`${uid} called tunnels`));
    this.callingTunnels = new PodSlots(tunnels, countOf?.(`${uid} calling tunnels`));
    this.#limits = new RateLimits(metersOf?.(uid) ?? new LocalMeters());
    this.uid = uid;
    this.namespace = source.namespace;
    this.#parts = parts;
    this.#authorizers = authorizersOf(() => this.#outbound(), parts.current);
    this.#rateService = rateServiceOf(() => this.#outbound(), parts.current);
    for (const listeners of source.listeners) this.#listen(listeners);
  }

  /** `listen` on a descriptor finishes in a later turn. */
  async listening(): Promise<void> {
    const pending = this.#servers.filter((server) => !server.listening);
    await Promise.all(
      pending.map((server) => new Promise((resolve) => server.once("listening", resolve))),
    );
  }

  /** False once it was told to stop. */
  get isListening(): boolean {
    return this.#stopped === undefined;
  }

  /** `undefined` where it is not known, and for a pod that is gone though some process of it lives on. */
  identity(): string | undefined {
    if (this.#parts.isGone(this.uid)) return undefined;
    const { identity } = this.#party();
    return identity === "" ? undefined : identity;
  }

  endUntrusted(isTrusted: Parameters<TunnelListener["endUntrusted"]>[0]): void {
    for (const tunnel of this.#tunnels) tunnel.endUntrusted(isTrusted);
  }

  /** Of inbound tunnels; the pool does it for those of the other direction. */
  leaveOlderIssuers(): void {
    const issuer = this.#parts.contexts.own(this.identity() ?? "")?.issuer ?? "";
    if (issuer !== "") for (const tunnel of this.#tunnels) tunnel.open.leaveOlderIssuers(issuer);
  }

  endRevoked(isRevoked: IsRevoked): void {
    for (const { open } of this.#tunnels) open.endRevoked(isRevoked);
  }

  endFrom(gone: GoneCaller): void {
    for (const { open } of this.#tunnels) open.endFrom(gone);
  }

  /** Those to this pod; the pool has those from it. */
  endTunnels(): void {
    for (const { open } of this.#tunnels) open.endAll();
  }

  /** Accepts nothing more. Resolves once all that was accepted has ended: handshakes and tunnels without calls as well. */
  async stopListening(): Promise<void> {
    if (!this.#stopped) {
      const ends = this.#servers.map(
        (server) => new Promise<void>((resolve) => server.close(() => resolve())),
      );
      this.#stopped = Promise.all(ends);
      for (const tunnel of this.#tunnels) tunnel.drain();
    }
    await this.#stopped;
  }

  /** What the mesh knows of these is another. */
  changed(touched: ReadonlySet<ResourceKind>): void {
    if (touched.has("service") || touched.has("endpointSlice")) retainEndpoints(this.#outbound());
  }

  /** Also lets the namespace go. Sockets that are open in it stay. */
  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#authorizers.close();
    this.#rateService.close();
    this.#pools.close();
    void this.stopListening();
    this.#parts.leaveNamespace(this.namespace.fd);
  }

  #listen({ family, outboundFd, plaintextFd, tunnelFd }: FamilyListeners): void {
    const inbound = this.#inbound();
    const outbound = this.#outbound();
    const { contexts, issuers, probes } = this.#parts;
    const identity = () => this.identity();
    const tunnel = new TunnelListener({ pod: inbound, contexts, issuers, identity });
    const plaintext = {
      pod: inbound,
      probes,
      destinationOf: destinationOf.bind(undefined, family),
    };
    this.#tunnels.push(tunnel);
    const outboundServer = createRawServer((socket) => takeOutbound(outbound, socket));
    // Probes are read as HTTP, which takes Node's streams.
    const plaintextServer = createStreamServer((socket) => takePlaintext(plaintext, socket));
    this.#accept(outboundServer, outboundFd, "outbound");
    this.#accept(plaintextServer, plaintextFd, "plaintext");
    this.#accept(tunnel.server, tunnelFd, "tunnel");
  }

  #accept(server: Server, fd: number, kind: Listening): void {
    // EMFILE and its like: what waits in the queue is taken later, the process goes on.
    server.on("error", (error) => {
      this.#parts.log.warn({ err: error, pod: this.uid }, "listener failed");
    });
    listenOn(server, fd, kind);
    this.#servers.push(server);
  }

  #enrolment(): Enrolment | undefined {
    return this.#parts.current.enrolment(this.uid);
  }

  #party(): Party {
    return this.#parts.parties.of(this.#enrolment());
  }

  #inbound(): InboundPod {
    const { current, connections, judge, parties, authenticate, tracing } = this.#parts;
    return {
      uid: this.uid,
      connections,
      judge,
      exchanges: judge.exchanges,
      authenticate: (carrier) => authenticate(this.uid, carrier),
      tracer: () => tracing.tracer,
      trustedProxies: () => current.settings()?.trustedProxies ?? 0,
      admit: (request) =>
        this.#limits.admit(this.#enrolment()?.rateLimits, request, performance.now()),
      rateService: this.#rateService,
      authorizers: this.#authorizers,
      slots: this.#called,
      tunnelSlots: this.#calledByTunnels,
      enrolment: () => this.#enrolment(),
      party: () => this.#party(),
      partyAt: (address) => parties.of(current.workloadAt(address)),
      callerUid: (address, identity) =>
        current.workloadsAt(address).findLast((known) => parties.of(known).identity === identity)
          ?.uid ?? "",
      openSocket: (family, source) =>
        openTransparentSocket({ namespace: this.namespace, family }, source),
    };
  }

  #outbound(): OutboundPod {
    const { current, connections, node, balancers, slots, checks, parties, pool } = this.#parts;
    return {
      resilience: this.#parts.resilience,
      uid: this.uid,
      node,
      view: current,
      connections,
      balancers,
      slots,
      ownSlots: this.#calling,
      checks,
      pools: this.#pools,
      tracer: () => this.#parts.tracing.tracer,
      isClosed: () => this.#isClosed,
      onEjected: (service, endpoint, reason) => {
        this.#parts.log.info({ service, endpoint, reason }, "endpoint ejected");
      },
      onPluginTrouble: (plugin, code, message) => {
        this.#parts.log.warn({ plugin, code, message }, "plugin failed");
      },
      zone: () => this.#enrolment()?.zone ?? "",
      addresses: () => this.#enrolment()?.addresses ?? [],
      nodeAddresses: () => this.#enrolment()?.nodeAddresses ?? [],
      party: () => this.#party(),
      partyOf: (workload) => parties.of(workload),
      destinationOf: (socket) => destinationOf(socket.remoteFamily === "IPv6" ? 6 : 4, socket),
      openSocket: (family) => openOutboundSocket({ namespace: this.namespace, family }),
      openStream: (workload, { address, port }) => {
        const isV6 = address.includes(":");
        const authority = isV6 ? `[${address}]:${port}` : `${address}:${port}`;
        const own = this.#enrolment()?.addresses.find((other) => other.includes(":") === isV6);
        const sourceIdentity = this.identity();
        if (sourceIdentity === undefined) {
          return Promise.reject(new TunnelError("no_leaf", "the pod's own identity is not known"));
        }
        const ends = {
          sourceUid: this.uid,
          sourceAddress: own ?? "",
          sourceIdentity,
          destinationUid: workload.uid,
          destinationAddress: address,
          expectedIdentity: parties.of(workload).identity,
        };
        return pool.open(ends, authority);
      },
    };
  }
}

function destinationOf(family: 4 | 6, socket: TcpSide): { address: string; port: number } {
  return originalDestination(descriptorOf(socket), family);
}
