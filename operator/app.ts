/**
 * The operator: the only place that knows every part, and the order in which they start and stop.
 *
 * metrics → source synced → CA → roots published → gRPC and webhooks listen → ready; and back again:
 * not ready → streams told to go elsewhere, webhooks still answering → drained → closed.
 */
import type { Registry } from "prom-client";
import { operatorIdentity } from "../core/model/operator-identity.ts";
import { AdminServer, healthRoutes, jsonAnswer, metricsRoute } from "../core/process/admin.ts";
import type { Running } from "../core/process/drain.ts";
import type { Log } from "../core/process/log.ts";
import { createMetrics } from "../core/process/metrics.ts";
import { Readiness } from "../core/process/readiness.ts";
import type { Authority } from "./ca/authority.ts";
import { createIssuer } from "./ca/issue-for-workload.ts";
import type { OperatorConfig } from "./config.ts";
import { createCertifier } from "./create-certifier.ts";
import { createRotation } from "./create-rotation.ts";
import { ConfigStreams } from "./distribute/config-streams.ts";
import { type NodeServer, openNodeServer } from "./distribute/server.ts";
import { ClusterIndex } from "./index/cluster-index.ts";
import { isExpression } from "./is-expression.ts";
import { startLeafReview, writeKeptLeaves } from "./leaf-keeping.ts";
import { loadAuthority } from "./load-authority.ts";
import { NodeLine } from "./node-line.ts";
import { OperatorMetrics } from "./operator-metrics.ts";
import type { Platform } from "./platform.ts";
import { createFilesPlatform } from "./platform-files.ts";
import type { RotationRunner } from "./rotation/rotation-runner.ts";
import { createRenewal, type Renewal } from "./server-certificate.ts";
import type { SourceEvent } from "./source/source.ts";
import { MeshStatus } from "./status/mesh-status.ts";
import { parseApplied } from "./status/node-report-object.ts";
import { statusReport } from "./status/status-report.ts";

export interface OperatorOptions {
  readonly config: OperatorConfig;
  readonly version: string;
  readonly log: Log;
  /** Aborts when the program is told to stop before it has started. */
  readonly signal: AbortSignal;
}

interface Parts {
  readonly metrics: OperatorMetrics;
  readonly index: ClusterIndex;
  readonly line: NodeLine;
  readonly streams: ConfigStreams;
  readonly status: MeshStatus;
  readonly platform: Platform;
}

export async function startOperator(options: OperatorOptions): Promise<Running> {
  const { config, log, version } = options;
  const registry = createMetrics({ name: "weft-operator", version, node: process.version });
  const readiness = new Readiness();
  const tokens = {
    source: readiness.require("source"),
    ca: readiness.require("ca"),
    servers: readiness.require("servers"),
  };
  const parts = await createParts(options, registry);
  let isSynced = false;
  const started: { rotation?: RotationRunner } = {};
  const admin = createAdmin(parts, {
    registry,
    readiness,
    isSynced: () => isSynced,
    rotations: () => started.rotation?.statuses() ?? [],
    hasStatus: config.source.kind === "files",
    log,
  });
  const adminPort = await admin.listen(config.metricsListen);
  log.info({ port: adminPort }, "metrics listen");

  await syncSource(parts, options);
  parts.index.begin();
  const stopReview = startLeafReview({ ...parts, log });
  isSynced = true;
  tokens.source.met();
  const authority = await loadAuthority({
    keyStore: parts.platform.keyStore,
    trustDomain: parts.index.meshSettings().trustDomain,
    leafLifetimeSeconds: () => parts.index.meshSettings().leafLifetimeSeconds,
    intermediates: () => parts.platform.intermediates(),
    publish: (rootsPem) => parts.platform.publishRoots(rootsPem),
    log,
    signal: options.signal,
  });
  parts.index.setBundle(authority.bundle());
  tokens.ca.met();
  const { node, renewal, rotation } = await openServers(parts, authority, options);
  started.rotation = rotation;
  tokens.servers.met();
  log.info({ port: node.port, version }, "ready");

  return {
    close: async () => {
      readiness.stop();
      stopReview();
      renewal.close();
      await rotation.close();
      // A second less than the whole, so that what comes after still has time.
      const drained = node.close(Math.max(1000, config.drainBudgetMs - 1000));
      await Promise.all([drained, parts.platform.leave()]);
      parts.status.close();
      await parts.platform.source.close();
      await parts.platform.close();
      await admin.close();
    },
  };
}

async function createParts(options: OperatorOptions, registry: Registry): Promise<Parts> {
  const { config, log } = options;
  const metrics = new OperatorMetrics(registry);
  const index = new ClusterIndex({
    rootNamespace: config.namespace,
    isExpression,
    onKeptLeaves: (nodes) => writeKeptLeaves({ index, line, platform, log }, nodes),
  });
  const line = new NodeLine({
    setReport: (report) => index.setReport(report, Date.now()),
    onTold: (report, applied) => {
      const { reportedAtMs = Date.now(), tunnels = [] } = index.findReport(report.node) ?? {};
      const kept = index.keptLeaves(report.node);
      platform.tellReport({ report, applied, reportedAtMs, tunnels, kept });
    },
    onApplied: (node, applied) => status.setOwn(node, applied),
    onGone: (node) => platform.tellGone(node),
  });
  const streams = new ConfigStreams({
    watchNodeConfig: (node, onChange) => index.watch(node, onChange),
    isSuperseded: (podUid) => platform.isSuperseded(podUid),
    onApplied: ({ node }, applied) => line.apply(node, applied),
    onReport: (_peer, report) => line.report(report),
    onGone: (node) => line.drop(node),
    counts: metrics,
    log,
    now: Date.now,
  });
  const platform = await createPlatform(options, { registry, index, metrics, streams });
  const status = new MeshStatus({
    policies: () => index.policies(),
    onStatus: (statuses) => platform.tellStatus(statuses, index.routes()),
  });
  index.watchState(() => status.recomputeSoon());
  return { metrics, index, line, streams, status, platform };
}

interface PlatformParts extends Pick<Parts, "index" | "metrics" | "streams"> {
  readonly registry: Registry;
}

async function createPlatform(
  { config, log }: OperatorOptions,
  { registry, index, metrics, streams }: PlatformParts,
): Promise<Platform> {
  const { source } = config;
  const common = { issuerRef: () => index.issuerRef(), log };
  if (source.kind === "files") return createFilesPlatform(source, common);
  // Only where it is needed: the client library takes a second to load.
  const { KubernetesPlatform } = await import("./platform-kubernetes.ts");
  return new KubernetesPlatform({
    config,
    source,
    registry,
    metrics,
    ...common,
    leafLifetimeSeconds: () => index.meshSettings().leafLifetimeSeconds,
    review: (policy) => index.warningsOf(policy),
    onPodGone: (uid) => streams.endStreamsOf(uid),
    onOwnPod: () => streams.reviewSpeakers(),
  });
}

async function syncSource(parts: Parts, { signal }: OperatorOptions): Promise<void> {
  const { source } = parts.platform;
  function onAbort(): void {
    void source.close();
  }
  signal.addEventListener("abort", onAbort);
  await source.start((event) => takeEvent(parts, event));
  signal.removeEventListener("abort", onAbort);
  signal.throwIfAborted();
}

function takeEvent({ index, line, status, platform }: Parts, event: SourceEvent): void {
  if (event.kind === "synced") return;
  index.apply(event);
  platform.observe(event);
  const { kind, metadata } = event.object;
  if (kind !== "NodeReport") return;
  const applied = event.kind === "upsert" ? parseApplied(event.object.status) : undefined;
  status.setWritten(metadata.name, applied);
  // Somebody removed it; that of a node that is gone stays away.
  const isMissed = event.kind === "delete" && index.nodes().includes(metadata.name);
  if (isMissed) line.retell(metadata.name);
}

interface Servers {
  readonly node: NodeServer;
  readonly renewal: Renewal;
  readonly rotation: RotationRunner;
}

async function openServers(
  { metrics, index, streams, status, platform }: Parts,
  authority: Authority,
  { config, log }: OperatorOptions,
): Promise<Servers> {
  const { trustDomain } = authority.bundle();
  const issuer = createIssuer({
    authority,
    findWorkload: (uid) => index.findWorkload(uid),
    trustDomain: () => trustDomain,
    leafLifetimeSeconds: () => index.meshSettings().leafLifetimeSeconds,
    log,
  });
  const dnsNames = [`weft-operator.${config.namespace}.svc`, "localhost"];
  const names = { identity: operatorIdentity(trustDomain), dnsNames };
  const renewal = createRenewal({ authority, names, log });
  const certifier = createCertifier({ issuer, index, trustDomain, metrics, log });
  const node = await openNodeServer({
    listen: config.grpcListen,
    identity: renewal.first,
    authenticate: platform.authenticate,
    streams,
    certifier,
    log,
  });
  renewal.start((certificate) => node.useIdentity(certificate));
  metrics.watchExpiry("root", () => authority.expiry().rootMs);
  metrics.watchExpiry("intermediate", () => authority.expiry().intermediateMs);
  metrics.watchServed("grpc", renewal);
  const rotation = createRotation({ platform, index, trustDomain, log });
  index.watchState(() => rotation.wake());
  const phases = "0 none, 1 pending, 2 add, 3 reissue, 4 drop; of the leader";
  metrics.ask("ca_rotation_phase", `How far a rotation of the CA is: ${phases}`, () =>
    rotation.phase(),
  );
  await platform.open({
    authority,
    onCaChanged: () => {
      index.setBundle(authority.bundle());
      renewal.renewNow();
    },
    recomputeStatus: () => {
      status.recomputeSoon();
      rotation.wake();
    },
  });
  return { node, renewal, rotation };
}

interface Admin {
  readonly registry: Registry;
  readonly readiness: Readiness;
  readonly isSynced: () => boolean;
  readonly rotations: () => readonly object[];
  readonly hasStatus: boolean;
  readonly log: Log;
}

function createAdmin(parts: Parts, admin: Admin): AdminServer {
  const { registry, readiness, isSynced, rotations, hasStatus, log } = admin;
  const { metrics, streams, platform, index } = parts;
  metrics.askPods(() => index.captureCounts());
  metrics.ask("streams", "Configuration streams open on this replica", () => streams.size);
  metrics.ask("connected_nodes", "Nodes with a stream on this replica", () => streams.nodes);
  const { source } = platform;
  metrics.ask("source_synced", "1 once the whole first state has been read", () =>
    Number(isSynced()),
  );
  metrics.ask("source_errors", "What the source cannot read", () => source.errors().length);
  return new AdminServer({
    routes: {
      ...healthRoutes(readiness),
      "/metrics": metricsRoute(registry),
      // In a cluster the API server tells all of it, to whoever may read it; this port asks nobody who they are.
      ...(hasStatus ? { "/status": () => jsonAnswer(reportOf(parts, rotations())) } : {}),
    },
    log,
  });
}

function reportOf({ index, status, line, platform }: Parts, rotations: readonly object[]): object {
  return statusReport({
    statuses: status.statuses(),
    rotations,
    ignored: index.ignored(),
    sourceErrors: platform.source.errors(),
    nodes: index.nodes().map((node) => ({
      node,
      connected: line.has(node),
      report: index.findReport(node)?.report,
    })),
  });
}
