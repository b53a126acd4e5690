/**
 * The operator in a cluster: informers, the CA's key in a Secret, tokens checked by TokenReview, status
 * written to the API, admission webhooks, and one leader among the replicas.
 */
import { setTimeout as delay } from "node:timers/promises";
import { KubeConfig, type V1Pod } from "@kubernetes/client-node";
import type { Registry } from "prom-client";
import { KubeClient } from "../core/kube/kube-api.ts";
import type { Log } from "../core/process/log.ts";
import { formatCertificatesPem } from "../core/x509/pem.ts";
import type { AdmissionRequest } from "./admission/admission-review.ts";
import { mutatePod } from "./admission/mutate-pod.ts";
import { type ValidateOptions, validateObject } from "./admission/validate-object.ts";
import { validatePod } from "./admission/validate-pod.ts";
import { WebhookServer } from "./admission/webhook-server.ts";
import { CaKeeper } from "./ca/ca-keeper.ts";
import type { IntermediateSource } from "./ca/intermediate-source.ts";
import type { ServerCertificate } from "./ca/issue-certificate.ts";
import { LOCAL_INTERMEDIATES } from "./ca/local-intermediate.ts";
import { createSecretKeyStore } from "./ca/secret-key-store.ts";
import { CaWatch } from "./ca-watch.ts";
import { createCertManagerSource } from "./cert-manager-source.ts";
import type { OperatorConfig, SourceConfig } from "./config.ts";
import { createTokenAuthentication } from "./distribute/authenticate.ts";
import { CA_SECRET, createSecretAccess, writeIssuers, writeRoots } from "./kube/config-objects.ts";
import { LeaderElection } from "./kube/lease.ts";
import { deleteNodeReport } from "./kube/status-patches.ts";
import { createTokenReviewer } from "./kube/token-review.ts";
import { writeCaBundle } from "./kube/webhook-ca-bundle.ts";
import type { OperatorMetrics } from "./operator-metrics.ts";
import type { Opening, Platform, PublishedTrust } from "./platform.ts";
import type { KubeChange } from "./resources/kube-object.ts";
import type { IssuerRef } from "./resources/mesh-config.ts";
import { RotationWriter } from "./rotation/rotation-writer.ts";
import { createRenewal, type Renewal } from "./server-certificate.ts";
import { KubernetesSource } from "./source/kubernetes.ts";
import { CaEvents } from "./status/ca-events.ts";
import { KeptLeavesWriter } from "./status/kept-leaves-writer.ts";
import { NextNodeProxies } from "./status/next-node-proxies.ts";
import { PodDirectory } from "./status/pod-directory.ts";
import { ReportWriter } from "./status/report-writer.ts";
import { RotationWaits } from "./status/rotation-waits.ts";
import { StatusWriter } from "./status/status-writer.ts";

/** Of the Service, and of the Lease. */
const SERVICE = "weft-operator";
/** Of both webhook configurations. */
const WEBHOOKS = "weft";
/** Somebody who applies the manifests again may take the bundle or the roots away. */
const REASSERT_MS = 30_000;
// So long kube-proxy may go on sending here after the pod has been told to end. A webhook that refuses a connection
// refuses the object (failurePolicy Fail), and nobody asks another replica instead.
const LEAVE_MS = 3000;

export interface KubernetesPlatformOptions {
  readonly config: OperatorConfig;
  readonly source: Extract<SourceConfig, { readonly kind: "kubernetes" }>;
  readonly registry: Registry;
  readonly metrics: OperatorMetrics;
  readonly log: Log;
  /** Of MeshConfig, as are the next. */
  readonly issuerRef: () => IssuerRef | undefined;
  readonly leafLifetimeSeconds: () => number;
  /** What the other objects there are make of a policy. */
  readonly review: ValidateOptions["review"];
  /** A pod has gone, and its streams with it. */
  readonly onPodGone: (uid: string) => void;
  /** A pod of the operator's own namespace has changed, perhaps a node proxy's. */
  readonly onOwnPod: () => void;
}

export class KubernetesPlatform implements Platform {
  readonly source: KubernetesSource;
  readonly keyStore;
  readonly authenticate;
  readonly #options: KubernetesPlatformOptions;
  readonly #external: IntermediateSource;
  readonly #api: KubeClient;
  readonly #pods = new PodDirectory();
  readonly #nextNodeProxies: NextNodeProxies;
  readonly #rotationWaits = new RotationWaits();
  readonly #caEvents: CaEvents;
  readonly #reports: ReportWriter;
  readonly #keptLeaves: KeptLeavesWriter;
  /** Nodes whose report is being removed. */
  readonly #dropping = new Set<string>();
  readonly #statuses: StatusWriter;
  readonly #rotations: RotationWriter;
  readonly #election: LeaderElection;
  #opening: Opening | undefined;
  #watch: CaWatch | undefined;
  #webhooks: WebhookServer | undefined;
  #renewal: Renewal | undefined;
  readonly trust: PublishedTrust = {
    isLeader: () => this.#election.isLeader(),
    follow: async () => this.#watch?.lookNow(),
    publishedPem: () => this.#watch?.publishedPem(),
  };

  constructor(options: KubernetesPlatformOptions) {
    const { config, source, metrics, log } = options;
    const { namespace } = config;
    const kubeConfig = new KubeConfig();
    kubeConfig.loadFromDefault();
    const api = new KubeClient(kubeConfig);
    this.#options = options;
    this.#api = api;
    this.source = new KubernetesSource({
      config: kubeConfig,
      api,
      log,
      onRestart: (kind) => metrics.countWatchRestart(kind),
    });
    const secret = createSecretAccess(api, namespace);
    this.keyStore = createSecretKeyStore(`${namespace}/${CA_SECRET}`, secret);
    this.#external = createCertManagerSource(options, { api, keyStore: this.keyStore });
    const review = createTokenReviewer({
      api,
      audience: source.tokenAudience,
      namespace,
      findNode: (uid) => this.#pods.find(uid)?.node,
    });
    this.authenticate = createTokenAuthentication({ review, now: Date.now });
    this.#reports = new ReportWriter({
      api,
      findPod: (uid) => this.#pods.find(uid),
      log,
    });
    this.#keptLeaves = new KeptLeavesWriter({ api, log });
    this.#election = this.#createElection();
    this.#caEvents = new CaEvents({ api, namespace, log });
    const isLeader = (): boolean => this.#election.isLeader();
    const pods = this.#pods;
    this.#nextNodeProxies = new NextNodeProxies({ api, namespace, isLeader, pods, log });
    this.#statuses = new StatusWriter({ api, isLeader, log });
    this.#rotations = new RotationWriter({ api, isLeader, log });
  }

  intermediates(): IntermediateSource {
    return this.#options.issuerRef() ? this.#external : LOCAL_INTERMEDIATES;
  }

  async publishRoots(rootsPem: string): Promise<void> {
    await writeRoots(this.#api, { namespace: this.#options.config.namespace, rootsPem });
  }

  observe(change: KubeChange): void {
    const { kind, metadata } = change.object;
    this.#rotationWaits.observe(change);
    // The leader has moved one on: its new CA has to be everybody's before nodes ask for more.
    if (kind === "CARotation") void this.#watch?.lookNow();
    // What was written there does not stand any more.
    if (kind === "NodeReport" && change.kind === "delete") this.#reports.forget(metadata.name);
    const gone = this.#pods.observe(change);
    this.#nextNodeProxies.observe(change);
    const { config, onOwnPod } = this.#options;
    if (kind === "Pod" && metadata.namespace === config.namespace) onOwnPod();
    if (gone === undefined) return;
    this.#reports.forgetPod(gone);
    this.#options.onPodGone(gone);
  }

  isSuperseded: Platform["isSuperseded"] = (podUid) => this.#pods.isSuperseded(podUid);
  tellReport: Platform["tellReport"] = (told) => this.#reports.put(told);
  tellGone: Platform["tellGone"] = (node) => this.#reports.forget(node);
  tellKeptLeaves: Platform["tellKeptLeaves"] = (news) => this.#keptLeaves.put(news);
  tellStatus: Platform["tellStatus"] = (...told) => this.#statuses.put(...told);
  tellRotation: Platform["tellRotation"] = (told) => this.#rotations.put(told);

  /** The watch tells once it is gone; until then this is asked again and again. */
  dropReport(node: string): boolean {
    if (!this.#election.isLeader() || this.#dropping.has(node)) return false;
    this.#dropping.add(node);
    void deleteNodeReport(this.#api, node)
      .catch((error) => {
        this.#options.log.warn({ err: error, node }, "node report not removed");
      })
      .finally(() => this.#dropping.delete(node));
    return false;
  }

  async open(opening: Opening): Promise<void> {
    this.#opening = opening;
    const { config, source, registry, metrics, log, review } = this.#options;
    const renewal = createRenewal({
      authority: opening.authority,
      names: { dnsNames: serviceNames(config.namespace) },
      log,
    });
    this.#renewal = renewal;
    metrics.watchServed("webhook", renewal);
    const { image } = source;
    const webhooks = new WebhookServer({
      handlers: {
        "/mutate-pods": (request) => mutatePod(podOf(request), image),
        "/validate-pods": (request) => validatePod(podOf(request), image),
        "/validate-objects": (request) =>
          validateObject(request, { rootNamespace: config.namespace, review }),
      },
      certificate: pemOf(renewal.first),
      registry,
      log,
    });
    this.#webhooks = webhooks;
    const port = await webhooks.listen(source.webhookListen);
    log.info({ port }, "webhooks listen");
    renewal.start((certificate) => webhooks.setCertificate(pemOf(certificate)));
    const { authority } = opening;
    const keeper = new CaKeeper({
      authority,
      place: this.keyStore.place,
      log,
      onChanged: () => {
        opening.onCaChanged();
        renewal.renewNow();
      },
    });
    const watch = new CaWatch({
      keeper,
      isLeader: () => this.#election.isLeader(),
      rootsPem: () => formatCertificatesPem(authority.bundle().roots),
      publish: (rootsPem) => this.#publish(rootsPem),
      onLooked: async (look) => {
        if (this.#election.isLeader()) await this.#caEvents.tell(look, authority.expiry());
      },
      republishMs: REASSERT_MS,
      log,
    });
    this.#watch = watch;
    void watch.lookNow();
    this.#election.start();
  }

  async leave(): Promise<void> {
    await delay(Math.min(LEAVE_MS, this.#options.config.drainBudgetMs / 2));
  }

  async close(): Promise<void> {
    this.#renewal?.close();
    await this.#webhooks?.close();
    await Promise.all([
      this.#nextNodeProxies.close(),
      this.#statuses.close(),
      this.#rotations.close(),
      this.#reports.close(),
      this.#keptLeaves.close(),
    ]);
    await this.#watch?.close();
    await this.#election.close();
    this.#api.close();
  }

  #createElection(): LeaderElection {
    const { config, source, metrics, log } = this.#options;
    const election = new LeaderElection({
      api: this.#api,
      namespace: config.namespace,
      name: SERVICE,
      holder: source.podName,
      log,
      onElected: () => {
        this.#opening?.recomputeStatus();
        this.#nextNodeProxies.look();
        // With the CA of this leader the bundle of the one before may be wrong: no pod starts until it is right.
        void this.#watch?.lookNow();
      },
    });
    metrics.ask("leader", "1 while this replica is the leader", () => Number(election.isLeader()));
    const help = "Nodes that a rotation of the CA waits for";
    metrics.ask("ca_rotation_waiting_nodes", help, () => this.#rotationWaits.nodes());
    return election;
  }

  /** The leader puts right what differs; the others only fill in what is empty, so that a start waits for nobody. */
  async #publish(rootsPem: string): Promise<void> {
    const isLeader = this.#election.isLeader();
    if (isLeader) {
      await this.publishRoots(rootsPem);
      const issuersPem = this.#renewal?.issuersPem() ?? "";
      await writeIssuers(this.#api, { namespace: this.#options.config.namespace, issuersPem });
    }
    const options = { name: WEBHOOKS, rootsPem, onlyIfEmpty: !isLeader };
    const changed = await writeCaBundle(this.#api, options);
    if (changed > 0) this.#options.log.info({ changed }, "webhook configurations trust the mesh");
  }
}

/** The API server has checked the object against its schema before it asks. */
function podOf({ object }: AdmissionRequest): V1Pod {
  return object as V1Pod;
}

function pemOf({ chainPem, keyPem }: ServerCertificate) {
  return { chain: chainPem, key: keyPem };
}

function serviceNames(namespace: string): readonly string[] {
  const short = `${SERVICE}.${namespace}.svc`;
  return [short, `${short}.cluster.local`];
}
