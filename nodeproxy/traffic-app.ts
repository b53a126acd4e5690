/**
 * The traffic process, built by hand: takes what control says and turns it into listeners, tunnels and
 * rules. Knows every part of the data path; no part knows it.
 */
import { type Changes, policiesIn, type ResourceKind } from "../core/model/resource.ts";
import { type CallerParts, createCallerParts, retainServices } from "./caller-parts.ts";
import type { ToTraffic } from "./channel/messages.ts";
import { ConnectionReports } from "./connection-reports.ts";
import { KeptDenials } from "./denials/kept-denials.ts";
import { Connections } from "./flow/connections.ts";
import { DEFAULT_POD_LIMITS } from "./flow/pod-slots.ts";
import { GoneWorkloads } from "./gone-workloads.ts";
import { createTlsContexts } from "./identity/tls-context.ts";
import { Judge } from "./inbound/judge.ts";
import { ProbePerformer } from "./inbound/perform-probe.ts";
import { Tokens } from "./jwt/tokens.ts";
import { leaveNode } from "./leave-node.ts";
import { listenersOf } from "./listeners-of.ts";
import { Parties } from "./parties.ts";
import { Current } from "./state/current.ts";
import { Releases } from "./state/releases.ts";
import { closeDescriptor } from "./sys/descriptor.ts";
import { adoptNamespace } from "./sys/namespace.ts";
import { openOutboundSocket } from "./sys/tcp-socket.ts";
import { ConnectionTelemetry } from "./telemetry/connection-telemetry.ts";
import { LateTracing } from "./tracing/late-tracing.ts";
import type { Traffic, TrafficOptions } from "./traffic-options.ts";
import { type PodSource, type TrafficParts, TrafficPod } from "./traffic-pod.ts";
import { TrafficTrust } from "./traffic-trust.ts";
import { LeafWaiters } from "./tunnel/leaf-waiters.ts";
import { openHandshake } from "./tunnel/open-handshake.ts";
import { type TunnelEnds, TunnelPool } from "./tunnel/pool.ts";
import type { Handshake } from "./tunnel/tunnel.ts";
import { TunnelIssuers } from "./tunnel/tunnel-issuers.ts";
import { VERSION } from "./version.ts";

const LEAF_WAIT_MS = 5_000;
const REPORT_INTERVAL_MS = 1_000;

export function createTraffic(options: TrafficOptions): Traffic {
  return new TrafficApp(options);
}

class TrafficApp implements Traffic {
  readonly #options: TrafficOptions;
  readonly #current = new Current();
  readonly #contexts = createTlsContexts((serial) => this.#current.isRevoked(serial));
  readonly #pods = new Map<string, TrafficPod>();
  readonly #callers: CallerParts;
  readonly #leafWaiters = new LeafWaiters((id) => this.#contexts.client(id), LEAF_WAIT_MS);
  readonly #issuers = new TunnelIssuers();
  readonly #releases = new Releases(this.#current, (uid) => this.#pods.has(uid));
  readonly #judge = new Judge(this.#current);
  readonly #tokens: Tokens;
  readonly #denials: KeptDenials;
  readonly #probes = new ProbePerformer();
  readonly #connections: Connections;
  readonly #tracing: LateTracing;
  readonly #pool: TunnelPool;
  readonly #trust: TrafficTrust;
  readonly #gone: GoneWorkloads;
  readonly #parts: TrafficParts;
  readonly #reporting: NodeJS.Timeout;
  readonly #reports: ConnectionReports;

  constructor(options: TrafficOptions) {
    this.#options = options;
    const { node, log, metrics, accessLog, shares, limits = DEFAULT_POD_LIMITS } = options;
    this.#callers = createCallerParts(this.#current, options);
    this.#tokens = new Tokens(this.#current, log);
    this.#denials = new KeptDenials({ node, policyOf: (ref) => this.#current.policy(ref) });
    this.#tracing = createTracing(this.#current, options);
    const telemetry = new ConnectionTelemetry({
      metrics,
      accessLog,
      isLogged: () => this.#current.settings()?.accessLog ?? true,
      denials: this.#denials,
      tracer: () => this.#tracing.tracer,
    });
    this.#connections = new Connections(telemetry);
    this.#reports = new ConnectionReports(this.#connections, (open) =>
      options.send({ kind: "connections", open }),
    );
    this.#pool = new TunnelPool(
      (ends) => this.#openHandshake(ends),
      (uid) => this.#pods.get(uid)?.callingTunnels,
    );
    this.#trust = new TrafficTrust({
      current: this.#current,
      contexts: this.#contexts,
      leafWaiters: this.#leafWaiters,
      issuers: this.#issuers,
      pool: this.#pool,
      pods: () => this.#pods.values(),
      send: options.send,
    });
    const parties = new Parties(() => this.#current.settings()?.trustDomain);
    this.#gone = new GoneWorkloads({
      current: this.#current,
      parties,
      pool: this.#pool,
      pods: this.#pods,
    });
    this.#parts = {
      node,
      log,
      current: this.#current,
      connections: this.#connections,
      parties,
      isGone: (uid) => this.#gone.has(uid),
      judge: this.#judge,
      authenticate: (uid, carrier) => this.#tokens.authenticate(uid, carrier),
      contexts: this.#contexts,
      issuers: this.#issuers,
      pool: this.#pool,
      probes: this.#probes,
      ...this.#callers,
      tracing: this.#tracing,
      limits,
      shares,
      leaveNamespace: shares?.leaveNamespace ?? closeDescriptor,
    };
    this.#reporting = setInterval(() => this.#report(), REPORT_INTERVAL_MS).unref();
  }

  onMessage(message: ToTraffic, descriptors: readonly number[]): void {
    switch (message.kind) {
      case "pod":
        this.#addPod(message, descriptors);
        return;
      case "pod_closed":
        this.#closePod(message.uid);
        return;
      case "changes":
        this.#apply(message.changes, message.complete ?? false);
        if (message.sequence !== undefined) {
          this.#options.send({ kind: "applied", sequence: message.sequence });
        }
        return;
      case "leaf":
        this.#trust.setLeaf(message.leaf);
        return;
      case "leaf_dropped":
        this.#trust.dropLeaf(message.identity);
        return;
      case "metrics_request":
        void this.#options
          .metricsText()
          .then((text) => this.#options.send({ kind: "metrics", id: message.id, text }));
        return;
      case "denial_request":
        this.#options.send(this.#denials.answer(message));
        return;
      case "drain":
        void this.#drained().then(() => this.#options.send({ kind: "drained" }));
        return;
    }
  }

  async leave(withinMs: number): Promise<void> {
    await leaveNode({
      isAccepting: () => Array.from(this.#pods.values()).some(({ isListening }) => isListening),
      drained: () => this.#drained(),
      withinMs,
    });
    await this.#tracing.flush();
  }

  async #drained(): Promise<void> {
    const pods = Array.from(this.#pods.values());
    this.#connections.drainServed();
    await Promise.all(pods.map((pod) => pod.stopListening()));
    await this.#connections.drained();
  }

  close(): void {
    clearInterval(this.#reporting);
    this.#connections.cutAll("proxy_stopped");
    for (const pod of this.#pods.values()) pod.close();
    this.#pods.clear();
    this.#leafWaiters.close();
    this.#pool.close();
    this.#probes.close();
    this.#callers.checks.close();
    this.#tracing.close();
  }

  /** Never throws: one pod that cannot be taken over must not end the others. Control sees that it never listens. */
  #addPod(
    { uid, families }: Extract<ToTraffic, { readonly kind: "pod" }>,
    descriptors: readonly number[],
  ): void {
    const [namespaceFd, ...listening] = descriptors;
    if (namespaceFd === undefined || listening.length !== families.length * 3) {
      this.#refuse(descriptors);
      this.#options.log.error(
        { uid, families, descriptors: descriptors.length },
        "pod with a wrong number of descriptors refused",
      );
      return;
    }
    try {
      const listeners = listenersOf(families, listening);
      this.#takePod({ uid, namespace: adoptNamespace(namespaceFd), listeners }, descriptors);
    } catch (error) {
      // What was taken over until here is closed with the descriptors.
      this.#refuse(descriptors);
      this.#options.log.error({ err: error, uid }, "pod could not be taken over");
    }
  }

  #refuse([namespaceFd, ...listening]: readonly number[]): void {
    if (namespaceFd !== undefined) this.#parts.leaveNamespace(namespaceFd);
    for (const fd of listening) closeDescriptor(fd);
  }

  #takePod(source: PodSource, descriptors: readonly number[]): void {
    const { uid, namespace } = source;
    const known = this.#pods.get(uid);
    const isServed = known?.isListening && known.namespace.inode === namespace.inode;
    if (isServed) {
      this.#refuse(descriptors);
      this.#options.send({ kind: "listening", uid });
      return;
    }
    if (known) this.#closePod(uid);
    const pod = new TrafficPod(source, this.#parts);
    this.#pods.set(uid, pod);
    void pod.listening().then(() => this.#options.send({ kind: "listening", uid }));
  }

  #closePod(uid: string): void {
    this.#pods.get(uid)?.close();
    this.#pods.delete(uid);
    // They hold sockets of its namespace, which the pod's next one under this UID must not meet.
    this.#pool.drainWorkload(uid);
    this.#gone.forget(uid);
    const { removals } = this.#releases.ended(uid);
    if (removals.length > 0) this.#change({ upserts: [], removals });
  }

  #apply(changes: Changes, isComplete: boolean): void {
    this.#change(this.#releases.hold(isComplete ? this.#current.completed(changes) : changes));
    // It comes after each hello.
    if (isComplete) this.#trust.tellAnew();
  }

  #change(changes: Changes): void {
    const applied = this.#gone.during(changes, () => this.#current.apply(changes));
    if (applied.kind === "refused") {
      // Control has checked them before; half of them must not rule.
      this.#options.log.error({ errors: applied.errors }, "changes refused");
      return;
    }
    this.#react(applied.touched, changes);
  }

  #react(touched: ReadonlySet<ResourceKind>, changes: Changes): void {
    this.#trust.react(touched);
    if (touched.has("service")) retainServices(this.#callers, this.#current);
    if (touched.has("settings")) this.#tracing.follow(this.#current.settings()?.tracing);
    for (const pod of this.#pods.values()) pod.changed(touched);
    if (touched.has("requestAuthentication")) this.#tokens.retain();
    const isPodChange = touched.has("enrolment") || touched.has("settings");
    if (!isPodChange && !touched.has("policy")) return;
    const judge = this.#judge;
    judge.refresh(policiesIn(changes));
    const ended =
      this.#connections.recheck((facts) => judge.recheck(facts)) + judge.exchanges.recheck(judge);
    if (ended > 0) this.#options.log.info({ ended }, "connections ended by a change of policy");
  }

  #openHandshake(ends: TunnelEnds): Promise<Handshake> {
    const parts = {
      contexts: this.#contexts,
      openSocket: (from: TunnelEnds) => this.#openSocket(from),
      waitForLeaf: (identity: string) => this.#leafWaiters.wait(identity),
      meshDomains: () => this.#trust.meshDomains,
      issuers: this.#issuers,
    };
    return openHandshake(parts, ends);
  }

  #openSocket({ sourceUid: uid, destinationAddress: address }: TunnelEnds): number {
    const pod = this.#pods.get(uid);
    if (!pod) throw new Error(`pod ${uid} is not captured any more`);
    const family = address.includes(":") ? 6 : 4;
    return openOutboundSocket({ namespace: pod.namespace, family });
  }

  #report(): void {
    this.#trust.tick();
    this.#reports.tick(performance.now());
  }
}

function createTracing(view: Current, { node, log, metrics }: TrafficOptions): LateTracing {
  const count = metrics.spans.count.bind(metrics.spans);
  return new LateTracing({ view, node, version: VERSION, log, count });
}
