/**
 * From objects to what each node must hold: the join of pods, namespaces, policies, services and reports.
 *
 * Incremental: a change marks the pods that it can concern, and only these are compiled again, once,
 * when the batch of changes has come in. Everything that one batch changes leaves in one `Changes`.
 * Knows neither where objects come from nor how nodes are told.
 */

import type { MeshSettings } from "../../core/model/mesh-settings.ts";
import type { NodeReport } from "../../core/model/node-report.ts";
import type { Changes, Resource } from "../../core/model/resource.ts";
import type { TrustBundle } from "../../core/model/trust-bundle.ts";
import { isMeshed } from "../compile/enrolment.ts";
import { createResource } from "../compile/resource-version.ts";
import { compileTrustBundle } from "../compile/trust-bundle.ts";
import type { Reason } from "../resources/fields.ts";
import { type KubeChange, type KubeObject, objectKey } from "../resources/kube-object.ts";
import type { IssuerRef } from "../resources/mesh-config.ts";
import type { DatedNodeReport, KeptLeaves } from "../resources/node-report.ts";
import type { ReviewedObject } from "../resources/reviewed-object.ts";
import type { IsExpression } from "../resources/route-match.ts";
import { applyWarnings } from "./apply-warnings.ts";
import { ClusterState } from "./cluster-state.ts";
import { type CaptureCounts, countCaptures } from "./count-captures.ts";
import { type PodPolicies, podPolicies } from "./pod-policies.ts";
import { listPolicyStates, type PolicyState } from "./policy-state.ts";
import { listRequestAuthenticationStates } from "./request-authentication-state.ts";
import type { RouteState } from "./route-store.ts";
import { listTrafficPolicyStates } from "./traffic-policy-state.ts";
import { listTrustBundleStates } from "./trust-bundle-state.ts";

export interface IndexOptions {
  /** Policies of this namespace reach every namespace. */
  readonly rootNamespace: string;
  /** Whether a text in a route is an expression of RE2's syntax; by default none is. */
  readonly isExpression?: IsExpression;
  /** When to deliver what has changed; by default at the end of this turn of the event loop. */
  readonly schedule?: (deliver: () => void) => void;
  /** Milliseconds since the epoch; by default the clock. */
  readonly now?: () => number;
  /** What is kept of these nodes' leaves has changed; told before any node is, so that it can be written first. */
  readonly onKeptLeaves?: (nodes: readonly string[]) => void;
}

/** What certificates are issued by. */
export interface FoundWorkload {
  readonly node: string;
  readonly namespace: string;
  readonly serviceAccount: string;
  readonly ended: boolean;
  /** Its Node object was deleted. */
  readonly nodeGone: boolean;
}

export interface IgnoredObject {
  readonly object: string;
  readonly reasons: readonly string[];
}

/** Must not call back into the index; one that has to do something does it later. */
type OnChange = (changes: Changes) => void;

/** An object of its own, so that one function may watch twice. */
interface Watcher {
  readonly onChange: OnChange;
}

export class ClusterIndex {
  readonly #state: ClusterState;
  readonly #now: () => number;
  readonly #onKeptLeaves: (nodes: readonly string[]) => void;
  readonly #schedule: (deliver: () => void) => void;
  readonly #watchers = new Map<string, Set<Watcher>>();
  readonly #stateWatchers = new Set<{ readonly onSettled: () => void }>();
  /** By name. Nothing that nodes hold depends on them. */
  readonly #rotations = new Map<string, KubeObject>();
  readonly #ignored = new Map<string, IgnoredObject>();
  #isScheduled = false;

  constructor({ rootNamespace, isExpression, schedule, now, onKeptLeaves }: IndexOptions) {
    this.#state = new ClusterState(rootNamespace, isExpression ?? noExpression);
    this.#schedule = schedule ?? setImmediate;
    this.#now = now ?? Date.now;
    this.#onKeptLeaves = onKeptLeaves ?? ignore;
    this.#publishSettings();
  }

  /** A delete needs only kind and name of its object. */
  apply(change: KubeChange): void {
    if (change.kind === "upsert" && this.#state.policies.takeStatus(change.object)) {
      this.#arrangeDelivery();
      return;
    }
    const key = objectKey(change.object);
    const reasons = this.#state.apply(change, this.#now());
    if (change.object.kind === "CARotation") this.#setRotation(change);
    if (reasons.length > 0) this.#ignored.set(key, { object: key, reasons });
    else this.#ignored.delete(key);
    const { kind } = change.object;
    if (["MeshConfig", "TrustBundle", "ConfigMap"].includes(kind)) this.#publishSettings();
    this.#arrangeDelivery();
  }

  /** A report that came on a stream of this very replica. */
  setReport(report: NodeReport, nowMs: number): void {
    this.#state.putOwnReport(report, nowMs);
    this.#arrangeDelivery();
  }

  /** The latest report of a node, whichever replica heard it, and when. */
  findReport(node: string): DatedNodeReport | undefined {
    return this.#state.reports.get(node);
  }

  /** Also fixes the mesh's trust domain: what is issued is of this one. */
  setBundle(bundle: TrustBundle): void {
    this.#state.policies.trustDomain = bundle.trustDomain;
    this.#state.tables.global.put(compileTrustBundle(bundle));
    this.#publishSettings();
    this.#arrangeDelivery();
  }

  meshSettings(): MeshSettings {
    return this.#state.policies.settings;
  }

  captureCounts(): CaptureCounts {
    return countCaptures(this.#state);
  }

  /** Who signs the mesh's intermediate, by MeshConfig; `undefined` for the operator itself. */
  issuerRef(): IssuerRef | undefined {
    return this.#state.policies.issuerRef;
  }

  resourcesFor(node: string): ReadonlyMap<string, Resource> {
    this.#state.settle(this.#now());
    return this.#state.tables.resourcesFor(node);
  }

  /** Calls once at once with everything the node must hold, then with what changes. Returns how to stop. */
  watch(node: string, onChange: OnChange): () => void {
    this.deliver();
    const watchers = this.#watchers.get(node) ?? new Set<Watcher>();
    const watcher = { onChange };
    watchers.add(watcher);
    this.#watchers.set(node, watchers);
    onChange({ upserts: [...this.resourcesFor(node).values()], removals: [] });
    return () => {
      watchers.delete(watcher);
      if (watchers.size === 0 && this.#watchers.get(node) === watchers) this.#watchers.delete(node);
    };
  }

  /** Called after every batch of changes, delivered ones included. Returns how to stop. */
  watchState(onSettled: () => void): () => void {
    const watcher = { onSettled };
    this.#stateWatchers.add(watcher);
    return () => this.#stateWatchers.delete(watcher);
  }

  /** A pod in the mesh by its UID; whether it still runs is told by `ended`. */
  findWorkload(uid: string): FoundWorkload | undefined {
    const pod = this.#state.pods.findByUid(uid);
    if (!pod || !isMeshed(pod, this.#state.namespaces.get(pod.namespace))) return undefined;
    const { node, namespace, serviceAccount, ended } = pod;
    const nodeGone = this.#state.revocations.isGone(node);
    return { node, namespace, serviceAccount, ended, nodeGone };
  }

  /** Every object of the kinds that users write, for its status as of `nowMs`. */
  policies(nowMs = Date.now()): readonly PolicyState[] {
    this.#state.settle(nowMs);
    return [
      ...listPolicyStates(this.#state),
      ...listRequestAuthenticationStates(this.#state),
      ...listTrafficPolicyStates(this.#state),
      ...listTrustBundleStates(this.#state, nowMs),
    ];
  }

  /** Every route, as of the last batch. */
  routes(): readonly RouteState[] {
    return this.#state.routes.states();
  }

  /** What to tell whoever applies that object now, beside what its parser does. */
  warningsOf(object: ReviewedObject): readonly Reason[] {
    return applyWarnings(this.#state, object);
  }

  /** What rules the pod `namespace/name`; `undefined` where there is none. */
  podPolicies(name: string): PodPolicies | undefined {
    this.#state.settle(this.#now());
    return podPolicies(this.#state, name);
  }

  /** Every CARotation, those that cannot be read included. */
  rotations(): readonly KubeObject[] {
    return [...this.#rotations.values()];
  }

  /** Objects that are there but could not be understood, and so are as if they were not. */
  ignored(): readonly IgnoredObject[] {
    return [...this.#ignored.values()];
  }

  /** Names of the Nodes there are. */
  nodes(): readonly string[] {
    return [...this.#state.nodes.keys()];
  }

  /** Everything that there is has been applied: from now on what is missing is gone. */
  begin(): void {
    this.#state.revocations.begin(this.#now());
    this.#arrangeDelivery();
  }

  /** Once a second or so: leaves end, and some are judged only after a while. */
  review(): void {
    if (this.#state.revocations.review(this.#now())) this.#arrangeDelivery();
  }

  /** What is remembered of the node's leaves beside its latest report. */
  keptLeaves(node: string): KeptLeaves {
    return this.#state.revocations.kept(node, this.findReport(node)?.report.leaves ?? []);
  }

  /** Whether the node's NodeReport names all its leaves that were taken back. */
  isKeptWritten(node: string): boolean {
    return this.#state.revocations.isWritten(node);
  }

  /** Nodes with more leaves than are remembered. */
  overflowedNodes(): ReadonlySet<string> {
    return this.#state.revocations.overflowed();
  }

  /** Its Node was deleted and has not come back. */
  isGone(node: string): boolean {
    return this.#state.revocations.isGone(node);
  }

  /** Names of the nodes that are gone, without anything left to remember, and still have a report. */
  outlivedReports(): readonly string[] {
    return this.#state.reports.nodes().filter((node) => this.#state.revocations.isOver(node));
  }

  /** Brings every watcher up to date now. */
  deliver(): void {
    this.#isScheduled = false;
    this.#state.settle(this.#now());
    const kept = this.#state.revocations.takeUnwritten();
    if (kept.length > 0) this.#onKeptLeaves(kept);
    const { global, nodes } = this.#state.tables.takeChanges();
    for (const [node, watchers] of this.#watchers) {
      const changes = joined(global, nodes.get(node));
      if (changes.upserts.length + changes.removals.length === 0) continue;
      for (const { onChange } of watchers) onChange(changes);
    }
    for (const { onSettled } of this.#stateWatchers) onSettled();
  }

  #publishSettings(): void {
    const { policies, plugins } = this.#state;
    const value = plugins.complete(policies.settings, policies.plugins);
    const { global } = this.#state.tables;
    global.put(createResource("mesh", { kind: "settings", value }));
    this.#state.federation.publish(global, value.trustDomain);
  }

  #setRotation({ kind, object }: KubeChange): void {
    if (kind === "upsert") this.#rotations.set(object.metadata.name, object);
    else this.#rotations.delete(object.metadata.name);
  }

  #arrangeDelivery(): void {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    this.#schedule(() => {
      if (this.#isScheduled) this.deliver();
    });
  }
}

function ignore(): void {}

/** Where nobody says what an expression is, no route with one counts. */
function noExpression(): boolean {
  return false;
}

function joined(global: Changes, own: Changes | undefined): Changes {
  if (!own) return global;
  return {
    upserts: [...global.upserts, ...own.upserts],
    removals: [...global.removals, ...own.removals],
  };
}
