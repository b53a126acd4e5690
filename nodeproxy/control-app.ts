/**
 * Builds the control process of a node proxy by hand and joins its parts: the only file that knows
 * capture, certificates, snapshot, the line to the operator and the line to the traffic process.
 *
 * Closing leaves rules, listeners and open connections as they are.
 */
import type { Changes } from "../core/model/resource.ts";
import type { AdminServer } from "../core/process/admin.ts";
import type { Running } from "../core/process/drain.ts";
import type { Log } from "../core/process/log.ts";
import { Readiness } from "../core/process/readiness.ts";
import { AppliedByTraffic } from "./applied-by-traffic.ts";
import { awaitServable } from "./await-servable.ts";
import { type Capture, createCapture } from "./capture/create-capture.ts";
import { type ControlLine, createControlLine } from "./channel/control-line.ts";
import { type KeptDescriptors, openKeptDescriptors } from "./channel/kept-descriptors.ts";
import type { FromTraffic } from "./channel/messages.ts";
import type { NodeProxyConfig } from "./config.ts";
import { openSnapshot } from "./control/snapshot.ts";
import { FirstServed } from "./first-served.ts";
import { type Certificates, createCertificates } from "./identity/certificates.ts";
import { NodeConfiguration } from "./node-configuration.ts";
import { NodeOwnership } from "./node-ownership.ts";
import { OlderTunnelCounts } from "./older-tunnel-counts.ts";
import { operatorLineOf } from "./operator-line-of.ts";
import { OperatorLink } from "./operator-link.ts";
import { ReportTurns } from "./report-turns.ts";
import { restoreSnapshot } from "./restore-snapshot.ts";
import { TrafficAnswers } from "./traffic-answers.ts";
import { trafficLinePlace } from "./traffic-line-path.ts";
import { VERSION } from "./version.ts";

/** A traffic process that lives comes back within half a second. */
const TOLD_WITHIN_MS = 3_000;

export interface ControlOptions {
  readonly config: NodeProxyConfig;
  readonly log: Log;
  /** Aborts when the program is told to stop before it has started. */
  readonly signal: AbortSignal;
}

/** Starts everything and resolves once every socket listens; configuration and captures follow. */
export async function startControl({ config, log, signal }: ControlOptions): Promise<Running> {
  const app = new ControlApp(config, log);
  await app.start(signal);
  return app;
}

class ControlApp implements Running {
  readonly #config: NodeProxyConfig;
  readonly #log: Log;
  readonly #readiness = new Readiness();
  readonly #owned = this.#readiness.require("run directory");
  readonly #configured = this.#readiness.require("configuration");
  readonly #trafficUp = this.#readiness.require("traffic process");
  readonly #serving = this.#readiness.require("pods of the node proxy before");
  readonly #configuration = new NodeConfiguration();
  readonly #certificates: Certificates;
  readonly #operator: OperatorLink;
  #servers: Promise<readonly AdminServer[]> | undefined;
  readonly #ownership: NodeOwnership;
  #line: ControlLine | undefined;
  readonly #firstServed = new FirstServed();
  readonly #answers = new TrafficAnswers((message) => this.#line?.send(message));
  readonly #applied = new AppliedByTraffic((message) => this.#line?.send(message) ?? false);
  readonly #reports = new ReportTurns(() => this.#report(), this.#applied);
  readonly #olderTunnels = new OlderTunnelCounts();

  constructor(config: NodeProxyConfig, log: Log) {
    this.#config = config;
    this.#log = log;
    this.#certificates = createCertificates({
      certify: (workload, csr, signal) => this.#operator.certify({ workload, csr, signal }),
      bundles: () => this.#configuration.bundles(),
      isRevoked: (serial) => this.#configuration.isRevoked(serial),
      now: Date.now,
      random: Math.random,
      log,
      onLeaf: (leaf) => {
        this.#line?.send({ kind: "leaf", leaf });
        for (const { uid } of this.#capture?.reports() ?? []) this.#capture?.leafReady(uid);
        this.#leavesChanged();
      },
      onDropped: (identity) => {
        this.#line?.send({ kind: "leaf_dropped", identity });
        this.#leavesChanged();
      },
    });
    this.#ownership = this.#createOwnership();
    this.#operator = new OperatorLink({
      line: operatorLineOf(config, () => this.#configuration.bundles()),
      version: VERSION,
      held: () => this.#configuration.versions(),
      apply: async (changes) => {
        this.#ownership.snapshot?.record(changes);
        this.#apply(changes);
        await this.#applied.settled();
        return { kind: "applied" };
      },
      log,
    });
  }

  /** The order is that of need: what is on disk, the traffic process, then the operator and whoever asks by HTTP. */
  async start(signal: AbortSignal): Promise<void> {
    await this.#ownership.begin(signal);
    this.#owned.met();
    await this.#restore();
    this.#line = await this.#openLine();
    const { taken } = this.#ownership;
    if (taken.length === 0) {
      await this.#ownership.open();
      await this.#firstServed.wait([...this.#configuration.enrolments().keys()]);
    }
    this.#servers ??= this.#openServers();
    await this.#servers;
    await this.#operator.start();
    if (taken.length === 0) return;
    const [configuration, certificates] = [this.#configuration, this.#certificates];
    await awaitServable(taken, { configuration, stream: this.#operator, certificates, signal });
    await this.#ownership.open();
  }

  #openLine(): Promise<ControlLine> {
    return createControlLine({
      ...trafficLinePlace(this.#config),
      log: this.#log,
      onMessage: (message) => this.#heard(message),
      onConnected: () => this.#tellTraffic(),
      onDisconnected: () => {
        this.#trafficUp.missing("the traffic process is away");
        this.#applied.gone();
      },
    });
  }

  #createOwnership(): NodeOwnership {
    const { runDir, lineDir, keptEnds } = this.#config;
    const kept = keptEnds && openKeptDescriptors(keptEnds);
    return new NodeOwnership({
      runDir,
      lineDir,
      log: this.#log,
      kept,
      openSnapshot: () =>
        openSnapshot({
          directory: runDir,
          resources: () => this.#configuration.all(),
          leaves: () => this.#certificates.leaves(),
          log: this.#log,
        }),
      openCapture: () => this.#openCapture(kept),
      onWait: () => {
        this.#owned.missing(`another node proxy still holds ${runDir}`);
        this.#servers ??= this.#openServers();
      },
      onServed: () => this.#serving.met(),
      onGiven: () => {
        this.#reports.hold();
        this.#operator.withdrawReport();
      },
      // Configuration still comes, for the connections that it serves until they end.
      onSuperseded: () => this.#line?.send({ kind: "drain" }),
      onGivenBack: () => {
        this.#ownership.snapshot?.resourcesChanged();
        this.#ownership.snapshot?.leavesChanged();
      },
    });
  }

  get #capture(): Capture | undefined {
    return this.#ownership.capture;
  }

  #openCapture(kept: KeptDescriptors | undefined): Capture {
    const capture = createCapture({
      log: this.#log,
      send: (message, descriptors) => {
        this.#line?.send(message, descriptors);
        if (message.kind === "pod_closed") this.#ownership.settled(message.uid);
      },
      hasLeaf: (uid) => this.#certificates.isServed(uid),
      hasTunnel: (uid) => this.#configuration.hasTunnel(uid),
      onState: () => this.#reports.soon(),
      onClosed: () => {
        this.#releaseUnneeded();
        this.#reports.soon();
      },
      kept,
    });
    if (this.#configuration.isKnown) capture.apply(this.#configuration.enrolments());
    void Promise.all([capture.look(), this.#olderTunnels.told(TOLD_WITHIN_MS)]).then(() => {
      // It may be the next one's by now.
      if (this.#capture === capture) this.#reports.release();
    });
    return capture;
  }

  /** After the traffic process, which the keeper ends at the same time: its connections follow policy to the last. */
  async close(): Promise<void> {
    this.#readiness.stop();
    this.#ownership.resign();
    if (this.#config.keptEnds) await this.#line?.disconnected();
    await this.#operator.close();
    await this.#ownership.close();
    this.#certificates.close();
    await this.#line?.close();
    await Promise.all(((await this.#servers) ?? []).map((server) => server.close()));
  }

  async #restore(): Promise<void> {
    const { leaves, resources } = await restoreSnapshot(this.#config.runDir, this.#log);
    this.#certificates.restore(leaves);
    if (resources) this.#apply({ upserts: resources, removals: [] });
  }

  async #openServers(): Promise<readonly AdminServer[]> {
    const { serveControl } = await import("./serve-control.ts");
    return serveControl(this.#config, {
      captures: () => this.#capture?.reports() ?? [],
      leaves: () => this.#certificates.leaves(),
      leafReports: () => this.#certificates.report(),
      renewLeaves: () => this.#certificates.renewAll(),
      connections: () => this.#answers.connections(),
      resources: () => this.#configuration.all(),
      node: this.#config.node,
      denial: (id) => this.#answers.denial(id),
      traffic: this.#answers,
      readiness: this.#readiness,
      log: this.#log,
    });
  }

  /** One synchronous step: traffic, certificates and captures see the same configuration. */
  #apply(changes: Changes): void {
    const isFirst = !this.#configuration.isKnown;
    this.#configuration.apply(changes);
    // A traffic process that outlived us may hold more than there is now.
    if (isFirst) this.#sendConfiguration();
    else this.#applied.tell(changes);
    for (const [uid, identity] of this.#configuration.identities()) {
      this.#certificates.need(uid, identity);
    }
    const kinds = new Set(changes.upserts.map(({ body }) => body.kind));
    if (kinds.has("bundle")) this.#certificates.bundlesChanged();
    if (kinds.has("revocation")) this.#certificates.revocationsChanged();
    this.#capture?.apply(this.#configuration.enrolments());
    for (const uid of this.#configuration.withoutTunnel(changes)) {
      this.#capture?.releaseSettled(uid);
    }
    this.#releaseUnneeded();
    this.#ownership.snapshot?.resourcesChanged();
    this.#configured.met();
    this.#reports.soon();
  }

  #releaseUnneeded(): void {
    const captured = (this.#capture?.reports() ?? []).map(({ uid }) => uid);
    this.#certificates.keepOnly(this.#configuration.neededUids(captured));
  }

  #heard(message: FromTraffic): void {
    if (this.#olderTunnels.received(message, this.#configuration.issuer())) this.#reports.soon();
    this.#answers.received(message);
    this.#applied.received(message);
    if (message.kind === "listening") {
      this.#ownership.settled(message.uid);
      this.#firstServed.settled(message.uid);
    }
    this.#capture?.received(message);
  }

  #tellTraffic(): void {
    this.#trafficUp.met();
    for (const leaf of this.#certificates.leaves()) this.#line?.send({ kind: "leaf", leaf });
    if (this.#configuration.isKnown) this.#sendConfiguration();
    this.#capture?.trafficConnected();
  }

  #sendConfiguration(): void {
    this.#applied.tell({ upserts: this.#configuration.all(), removals: [] }, { complete: true });
  }

  #leavesChanged(): void {
    this.#ownership.snapshot?.leavesChanged();
    this.#reports.soon();
  }

  #report(): void {
    this.#operator.report({
      node: this.#config.node,
      version: VERSION,
      captures: this.#capture?.reports() ?? [],
      leaves: this.#certificates.report(),
      bundles: this.#configuration.bundleVersions(),
      olderTunnels: this.#olderTunnels.than(this.#configuration.issuer()),
    });
  }
}
