/**
 * The objects of the cluster, joined: which pods does a change concern, and what are they then?
 *
 * `apply()` only files the object and marks pods; `settle()` compiles the marked ones, so that a pod
 * touched by a hundred changes is compiled once. The one place that knows what depends on what.
 */
import type { NodeReport } from "../../core/model/node-report.ts";
import { compileEnrolment, isMeshed } from "../compile/enrolment.ts";
import { createResource } from "../compile/resource-version.ts";
import { compileWorkload } from "../compile/workload.ts";
import type { KubeChange, KubeObject } from "../resources/kube-object.ts";
import { type Namespace, parseNamespace } from "../resources/namespace.ts";
import { type Node, parseNode } from "../resources/node.ts";
import { parseKeptLeaves, parseNodeReport } from "../resources/node-report.ts";
import { type Pod, parsePod } from "../resources/pod.ts";
import type { IsExpression } from "../resources/route-match.ts";
import { parseService, type Service } from "../resources/service.ts";
import { ClusterDns } from "./cluster-dns.ts";
import { factsOf } from "./facts-of-node.ts";
import { Federation } from "./federation.ts";
import { declarationsOf } from "./http-of-pod.ts";
import { NamespacedStore } from "./namespaced-store.ts";
import { NodeTables } from "./node-tables.ts";
import { PluginStore } from "./plugin-store.ts";
import { PodStore, podKey } from "./pod-store.ts";
import { type HeldAuthorization, PolicyStore } from "./policy-store.ts";
import { publishEndpointSlice } from "./publish-endpoint-slice.ts";
import { publishRequestAuthentication } from "./publish-request-authentication.ts";
import { publishTraffic } from "./publish-traffic.ts";
import { ReportStore } from "./report-store.ts";
import { Revocations } from "./revocations.ts";
import { RouteStore } from "./route-store.ts";
import { rulingOf, selectable } from "./ruling-of-pod.ts";

/** Why an object is as if it were not there; [] where it is understood or not ours. */
type Reasons = readonly string[];

export class ClusterState {
  readonly pods = new PodStore();
  readonly namespaces = new Map<string, Namespace>();
  readonly nodes = new Map<string, Node>();
  readonly services = new NamespacedStore<Service>();
  readonly policies: PolicyStore;
  readonly plugins: PluginStore;
  readonly federation = new Federation();
  readonly #dns = new ClusterDns();
  readonly reports = new ReportStore((uid) => this.#isEnrolled(uid));
  readonly tables = new NodeTables();
  readonly revocations: Revocations;
  readonly routes: RouteStore;
  readonly rootNamespace: string;
  /** Names of the pods to compile again. */
  readonly #marked = new Set<string>();

  constructor(rootNamespace: string, isExpression: IsExpression) {
    this.rootNamespace = rootNamespace;
    this.policies = new PolicyStore(rootNamespace);
    this.plugins = new PluginStore(rootNamespace);
    const { pods, nodes, tables, services } = this;
    const { policies } = this;
    this.routes = new RouteStore({ policies, services, table: tables.global, isExpression });
    this.revocations = new Revocations({ pods, nodes, global: tables.global });
  }

  apply({ kind, object }: KubeChange, nowMs: number): Reasons {
    const isThere = kind === "upsert";
    switch (object.kind) {
      case "Pod":
        return this.#setPod(object, isThere);
      case "Namespace":
        return this.#setNamespace(object, isThere);
      case "Node":
        return this.#setNode(object, isThere);
      case "Service":
        return this.#setService(object, isThere);
      case "EndpointSlice":
        publishEndpointSlice(this.tables.global, { object, isThere });
        return [];
      case "NodeReport":
        return this.#setWrittenReport(object, isThere, nowMs);
      default:
        return this.#setRule(object, isThere);
    }
  }

  #setRule(object: KubeObject, isThere: boolean): Reasons {
    switch (object.kind) {
      case "AuthorizationPolicy":
        return this.#setAuthorization(object, isThere);
      case "PeerAuthentication":
        return this.#setPeerAuthentication(object, isThere);
      case "RequestAuthentication":
        this.#mark(this.#reachable(object));
        publishRequestAuthentication(this.policies, this.tables.global, { object, isThere });
        return [];
      case "MeshConfig":
        this.policies.setMeshConfig(object, isThere);
        return [];
      case "TrafficPolicy":
        if (publishTraffic(this, { object, isThere })) {
          this.#mark(this.pods.inNamespace(object.metadata.namespace));
        }
        return [];
      case "ConfigMap":
        this.plugins.set(object, isThere);
        return [];
      case "TrustBundle":
        this.federation.set(object, isThere);
        return [];
      default:
        this.routes.set(object, isThere);
        return [];
    }
  }

  putOwnReport(report: NodeReport, nowMs: number): void {
    this.#markUids(this.reports.putOwn(report, nowMs));
    this.revocations.serve(report, nowMs);
  }

  /** Compiles every marked pod and Service's routes, and judges the leaves of the nodes concerned. */
  settle(nowMs: number): void {
    this.routes.settle();
    for (const name of this.#marked) {
      const pod = this.pods.get(name);
      if (pod) this.#publish(pod);
    }
    this.#marked.clear();
    this.revocations.settle(nowMs);
  }

  #isSelected(held: HeldAuthorization | undefined, pod: Pod): boolean {
    return this.policies.isSelected(held, selectable(this, pod));
  }

  #setPod(object: KubeObject, isThere: boolean): Reasons {
    if (!isThere) return this.#dropPod(object);
    const parsed = parsePod(object);
    // What was known of it before stays: a pod never leaves the mesh because somebody garbled it.
    if (parsed.kind === "refused") return parsed.reasons;
    const pod = parsed.value;
    const namesake = this.pods.findByUid(pod.uid);
    if (namesake && podKey(namesake) !== podKey(pod)) {
      return [`metadata.uid is that of pod ${podKey(namesake)}`];
    }
    const before = this.pods.put(pod);
    if (before && (before.uid !== pod.uid || before.node !== pod.node)) this.#retract(before);
    this.#marked.add(podKey(pod));
    for (const { node } of before ? [before, pod] : [pod]) this.revocations.mark(node);
    return [];
  }

  #dropPod({ metadata }: KubeObject): Reasons {
    const pod = this.pods.drop(podKey(metadata));
    if (pod) this.#retract(pod);
    if (pod) this.revocations.mark(pod.node);
    return [];
  }

  #setNamespace(object: KubeObject, isThere: boolean): Reasons {
    const parsed = parseNamespace(object);
    // The operator behind its own node proxies would wait for itself to start.
    const enabled = parsed.enabled && parsed.name !== this.rootNamespace;
    const namespace = { ...parsed, enabled };
    const before = this.namespaces.get(namespace.name);
    if (isThere) this.namespaces.set(namespace.name, namespace);
    else this.namespaces.delete(namespace.name);
    const isChanged = before?.enabled !== (isThere && namespace.enabled);
    const isDns = this.#dns.isIn(namespace.name);
    if (isChanged) this.#mark(isDns ? this.pods.all() : this.pods.inNamespace(namespace.name));
    return [];
  }

  #setNode(object: KubeObject, isThere: boolean): Reasons {
    const node = parseNode(object);
    const before = factsOf(this.nodes.get(node.name));
    if (isThere) this.nodes.set(node.name, node);
    else this.nodes.delete(node.name);
    this.revocations.nodeChanged(node.name);
    if (before !== factsOf(node) || !isThere) this.#mark(this.pods.onNode(node.name));
    return [];
  }

  #setService(object: KubeObject, isThere: boolean): Reasons {
    const { namespace, name } = object.metadata;
    const service = isThere ? parseService(object) : undefined;
    const ref = `${namespace}/${name}`;
    const before = this.services.get(object.metadata);
    if (service) {
      this.services.put(service, service);
    } else {
      this.services.drop(object.metadata);
      this.tables.global.drop({ kind: "service", name: ref });
    }
    this.routes.serviceChanged(object.metadata);
    if (this.#dns.set(object, service)) this.#mark(this.pods.all());
    const isOther = declarationsOf(before) !== declarationsOf(service);
    const asks = isOther && this.policies.asksForHttp(namespace);
    if (asks || this.policies.hasServiceScopes(namespace)) {
      this.#mark(this.pods.inNamespace(namespace));
    }
    return [];
  }

  #setAuthorization(object: KubeObject, isThere: boolean): Reasons {
    const store = this.policies.authorizations;
    const before = store.get(object.metadata);
    const now = isThere ? this.policies.readAuthorization(object) : undefined;
    // Asked while the store still has it: whether Services matter to the selection depends on that.
    const pods = [...this.#reachable(object)];
    const were = new Set(pods.filter((pod) => this.#isSelected(before, pod)));
    if (now) store.put(object.metadata, now);
    else store.drop(object.metadata);
    if (now?.compiled) {
      const value = now.compiled.policy;
      this.tables.putPolicy(createResource(value.ref, { kind: "policy", value }));
    } else if (before?.compiled) this.tables.dropPolicy(before.compiled.policy.ref);
    const isHttp = before?.compiled?.http.asks || now?.compiled?.http.asks;
    this.#mark(
      pods.filter((pod) => {
        const is = this.#isSelected(now, pod);
        return were.has(pod) !== is || (isHttp && is);
      }),
    );
    return [];
  }

  #setPeerAuthentication(object: KubeObject, isThere: boolean): Reasons {
    const store = this.policies.peers;
    if (isThere) store.put(object.metadata, this.policies.readPeerAuthentication(object));
    else store.drop(object.metadata);
    this.#mark(this.#reachable(object));
    return [];
  }

  #setWrittenReport(object: KubeObject, isThere: boolean, nowMs: number): Reasons {
    if (!isThere) {
      // While the node has pods their capture stays true: callers must not fall back to plaintext.
      const hasPods = [...this.pods.onNode(object.metadata.name)].length > 0;
      if (!hasPods) this.reports.drop(object.metadata.name);
      this.revocations.forget(object.metadata.name);
      return [];
    }
    const parsed = parseNodeReport(object);
    if (parsed.kind === "refused") return parsed.reasons;
    this.#markUids(this.reports.putWritten(parsed.value));
    this.revocations.learn(parsed.value.report, parseKeptLeaves(object.status), nowMs);
    return [];
  }

  /** The pods that an object of ours can rule: those of its namespace, from the root namespace all. */
  #reachable({ metadata }: KubeObject): Iterable<Pod> {
    return metadata.namespace === this.rootNamespace
      ? this.pods.all()
      : this.pods.inNamespace(metadata.namespace);
  }

  #mark(pods: Iterable<Pod>): void {
    for (const pod of pods) this.#marked.add(podKey(pod));
  }

  #markUids(uids: readonly string[]): void {
    for (const uid of uids) {
      const pod = this.pods.findByUid(uid);
      if (pod) this.#mark([pod]);
    }
  }

  #publish(pod: Pod): void {
    const modes = this.policies.modesOf(pod);
    const tunnel = this.reports.isCaptured(pod.node, pod.uid);
    const workload = compileWorkload(pod, { modes, tunnel });
    const { global } = this.tables;
    if (workload) global.put(createResource(pod.uid, { kind: "workload", value: workload }));
    else global.drop({ kind: "workload", name: pod.uid });
    const namespace = this.namespaces.get(pod.namespace);
    const enrolment = compileEnrolment(pod, {
      namespace,
      modes,
      ...rulingOf(this, pod, namespace),
      nodeAddresses: this.nodes.get(pod.node)?.addresses ?? [],
      zone: this.nodes.get(pod.node)?.zone ?? "",
      dnsAddresses: this.#dns.addresses((name) => this.namespaces.get(name)?.enabled === true),
    });
    if (enrolment) {
      const body = { kind: "enrolment", value: enrolment } as const;
      this.tables.putEnrolment(pod.node, createResource(pod.uid, body));
    } else this.tables.dropEnrolment(pod.node, pod.uid);
  }

  #isEnrolled(uid: string): boolean {
    const pod = this.pods.findByUid(uid);
    return pod !== undefined && isMeshed(pod, this.namespaces.get(pod.namespace));
  }

  #retract(pod: Pod): void {
    this.tables.global.drop({ kind: "workload", name: pod.uid });
    this.tables.dropEnrolment(pod.node, pod.uid);
  }
}
