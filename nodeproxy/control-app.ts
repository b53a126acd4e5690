/**
 * Builds the control process of a node proxy by hand and joins its parts: the only file that knows
 * capture, certificates, snapshot, the line to the operator and the line to the traffic process.
 *
 * Closing leaves rules, listeners and open connections as they are.
 */
import { setImmediate as nextTurn } from "node:timers/promises";
import type { Changes } from "../core/model/resource.ts";
import type { AdminServer } from "../core/process/admin.ts";
import type { Running } from "../core/process/drain.ts";
import type { Log } from "../core/process/log.ts";
import { createMetrics } from "../core/process/metrics.ts";
import { Readiness } from "../core/process/readiness.ts";
import { type Capture, createCapture } from "./capture/create-capture.ts";
import { type ControlLine, createControlLine } from "./channel/control-line.ts";
import { openKeptDescriptors } from "./channel/kept-descriptors.ts";
import type { FromTraffic, OpenConnection } from "./channel/messages.ts";
import type { NodeProxyConfig } from "./config.ts";
import { CertifyClient } from "./control/certify.ts";
import { type AppliedChanges, ConfigStream } from "./control/config-stream.ts";
import {
  openSnapshot,
  restoreLeaves,
  restoreResources,
  type Snapshot,
} from "./control/snapshot.ts";
import { openControlServers } from "./control-admin.ts";
import { type Certificates, createCertificates } from "./identity/certificates.ts";
import { NodeConfiguration } from "./node-configuration.ts";
import { OlderTunnelCounts } from "./older-tunnel-counts.ts";
import { operatorLineOf } from "./operator-line-of.ts";
import { lockRunDir, type RunDirLock } from "./run-dir-lock.ts";
import { exposeLeaves } from "./telemetry/leaf-metrics.ts";
import { trafficLinePath } from "./traffic-line-path.ts";
import { TrafficMetrics } from "./traffic-metrics.ts";
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
  readonly #configuration = new NodeConfiguration();
  readonly #certificates: Certificates;
  readonly #certify: CertifyClient;
  readonly #stream: ConfigStream;
  #servers: readonly AdminServer[] = [];
  #capture: Capture | undefined;
  #line: ControlLine | undefined;
  #snapshot: Snapshot | undefined;
  #connections: readonly OpenConnection[] = [];
  readonly #trafficMetrics = new TrafficMetrics((message) => this.#line?.send(message));
  #isReportDue = false;
  /**
   * Until what was captured before this process started is known: else callers would leave its tunnels. And until the
   * traffic process has told of its tunnels: else a rotation would take them for gone.
   */
  #isReportHeld = true;
  readonly #olderTunnels = new OlderTunnelCounts();
  #lock: RunDirLock | undefined;

  constructor(config: NodeProxyConfig, log: Log) {
    this.#config = config;
    this.#log = log;
    const line = operatorLineOf(config, () => this.#configuration.bundles());
    this.#certify = new CertifyClient(line);
    this.#certificates = createCertificates({
      certify: (workload, csr, signal) => this.#certify.certify({ workload, csr, signal }),
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
    this.#stream = new ConfigStream({
      line,
      version: VERSION,
      held: () => this.#configuration.versions(),
      apply: (changes) => {
        this.#snapshot?.record(changes);
        return this.#apply(changes);
      },
      log,
    });
  }

  /** The order is that of need: what is on disk first, then the traffic process, then the operator. */
  async start(signal: AbortSignal): Promise<void> {
    const { runDir, trafficUser } = this.#config;
    await this.#listen();
    this.#lock = await lockRunDir(runDir, { onWait: () => this.#tellWait(), signal });
    this.#owned.met();
    this.#snapshot = await openSnapshot({
      directory: runDir,
      resources: () => this.#configuration.all(),
      leaves: () => this.#certificates.leaves(),
      log: this.#log,
    });
    this.#line = await createControlLine({
      path: trafficLinePath(this.#config),
      ...(trafficUser ? { group: trafficUser.gid } : {}),
      log: this.#log,
      onMessage: (message) => this.#heard(message),
      onConnected: () => this.#tellTraffic(),
      onDisconnected: () => this.#trafficUp.missing("the traffic process is away"),
    });
    const { keptEnds } = this.#config;
    this.#capture = createCapture({
      log: this.#log,
      send: (message, descriptors) => this.#line?.send(message, descriptors),
      hasLeaf: (uid) => this.#certificates.isServed(uid),
      hasTunnel: (uid) => this.#configuration.hasTunnel(uid),
      onState: () => this.#reportSoon(),
      onClosed: () => {
        this.#releaseUnneeded();
        this.#reportSoon();
      },
      kept: keptEnds && openKeptDescriptors(keptEnds),
    });
    await this.#restore();
    this.#stream.start();
    void Promise.all([this.#capture.look(), this.#olderTunnels.told(TOLD_WITHIN_MS)]).then(() => {
      this.#isReportHeld = false;
      this.#reportSoon();
    });
  }

  #tellWait(): void {
    const reason = `another node proxy still holds ${this.#config.runDir}`;
    this.#owned.missing(reason);
    this.#log.info({ runDir: this.#config.runDir }, "waiting for another node proxy to end");
  }

  async close(): Promise<void> {
    this.#readiness.stop();
    await this.#stream.close();
    await this.#certify.close();
    await this.#capture?.close();
    await this.#snapshot?.close();
    this.#certificates.close();
    await this.#line?.close();
    await Promise.all(this.#servers.map((server) => server.close()));
    this.#lock?.release();
  }

  /** Last known good: what was held before rules until the operator says otherwise. */
  async #restore(): Promise<void> {
    const { runDir } = this.#config;
    const leaves = await restoreLeaves(runDir);
    if (leaves.kind === "restored") this.#certificates.restore(leaves.value);
    const resources = await restoreResources(runDir);
    for (const restored of [leaves, resources]) {
      if (restored.kind === "unusable") {
        this.#log.warn({ reasons: restored.reasons.slice(0, 5) }, "snapshot not used");
      }
    }
    if (resources.kind !== "restored") return;
    this.#apply({ upserts: resources.value, removals: [] });
    this.#log.info({ resources: resources.value.length }, "snapshot restored");
  }

  async #listen(): Promise<void> {
    const registry = createMetrics({
      name: "nodeproxy",
      version: VERSION,
      node: process.version,
    });
    registry.setDefaultLabels({ process: "control" });
    exposeLeaves(registry, () => this.#certificates.report());
    this.#servers = await openControlServers(this.#config, {
      captures: () => this.#capture?.reports() ?? [],
      leaves: () => this.#certificates.leaves(),
      renewLeaves: () => this.#certificates.renewAll(),
      connections: () => this.#connections,
      resources: () => this.#configuration.all(),
      metrics: () => this.#trafficMetrics.page(registry),
      readiness: this.#readiness,
      log: this.#log,
    });
  }

  /** One synchronous step: traffic, certificates and captures see the same configuration. */
  #apply(changes: Changes): AppliedChanges {
    const isFirst = !this.#configuration.isKnown;
    this.#configuration.apply(changes);
    // A traffic process that outlived us may hold more than there is now.
    if (isFirst) this.#sendConfiguration();
    else this.#line?.send({ kind: "changes", changes });
    const enrolments = this.#configuration.enrolments();
    for (const [uid, identity] of this.#configuration.identities()) {
      this.#certificates.need(uid, identity);
    }
    const kinds = new Set(changes.upserts.map(({ body }) => body.kind));
    if (kinds.has("bundle")) this.#certificates.bundlesChanged();
    if (kinds.has("revocation")) this.#certificates.revocationsChanged();
    this.#capture?.apply(enrolments);
    for (const uid of this.#configuration.withoutTunnel(changes)) {
      this.#capture?.releaseSettled(uid);
    }
    this.#releaseUnneeded();
    this.#snapshot?.resourcesChanged();
    this.#configured.met();
    this.#reportSoon();
    return { kind: "applied" };
  }

  /** A pod that is released keeps its certificate until the last caller has left its tunnel; one that is gone does not. */
  #releaseUnneeded(): void {
    const captured = (this.#capture?.reports() ?? []).map(({ uid }) => uid);
    const needed = new Set([
      ...this.#configuration.enrolments().keys(),
      ...captured.filter((uid) => this.#configuration.hasWorkload(uid)),
    ]);
    this.#certificates.keepOnly(needed);
  }

  #heard(message: FromTraffic): void {
    if (message.kind === "connections") this.#connections = message.open;
    if (this.#olderTunnels.received(message, this.#configuration.issuer())) this.#reportSoon();
    this.#trafficMetrics.received(message);
    this.#capture?.received(message);
  }

  #tellTraffic(): void {
    this.#trafficUp.met();
    for (const leaf of this.#certificates.leaves()) this.#line?.send({ kind: "leaf", leaf });
    if (this.#configuration.isKnown) this.#sendConfiguration();
    this.#capture?.trafficConnected();
  }

  #sendConfiguration(): void {
    const changes = { upserts: this.#configuration.all(), removals: [] };
    this.#line?.send({ kind: "changes", changes, complete: true });
  }

  #leavesChanged(): void {
    this.#snapshot?.leavesChanged();
    this.#reportSoon();
  }

  /** Reports are whole, so those of one turn are one. */
  #reportSoon(): void {
    if (this.#isReportDue || this.#isReportHeld) return;
    this.#isReportDue = true;
    void nextTurn().then(() => {
      this.#isReportDue = false;
      this.#stream.report({
        node: this.#config.node,
        version: VERSION,
        captures: this.#capture?.reports() ?? [],
        leaves: this.#certificates.report(),
        bundles: this.#configuration.bundleVersions(),
        olderTunnels: this.#olderTunnels.than(this.#configuration.issuer()),
      });
    });
  }
}
