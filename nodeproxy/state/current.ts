/**
 * What does the node proxy know right now? Every lookup of the data path reads here.
 *
 * Resources are replaced whole, never edited, and one `apply` is one synchronous turn: it checks
 * everything first, so readers never see half a change and a refused one leaves no trace. Costs
 * O(change), not O(world).
 */
import type { CompiledPolicy } from "../../core/model/authorization-policy.ts";
import type { Enrolment } from "../../core/model/enrolment.ts";
import type { ServiceRoutes } from "../../core/model/http-route.ts";
import type { MeshSettings } from "../../core/model/mesh-settings.ts";
import type { RequestAuthentication } from "../../core/model/request-authentication.ts";
import type {
  Changes,
  Resource,
  ResourceBody,
  ResourceKind,
  ResourceRef,
} from "../../core/model/resource.ts";
import { resourceKey, resourceName } from "../../core/model/resource.ts";
import type { EndpointSlice, Service } from "../../core/model/service.ts";
import type { Traffic } from "../../core/model/traffic-settings.ts";
import type { TrustBundle } from "../../core/model/trust-bundle.ts";
import type { Workload } from "../../core/model/workload.ts";
import { MultiIndex } from "./multi-index.ts";
import { RevocationIndex } from "./revocation-index.ts";
import { SliceIndex } from "./slice-index.ts";
import { TrafficIndex } from "./traffic-index.ts";

export type Applied =
  | { readonly kind: "applied"; readonly touched: ReadonlySet<ResourceKind> }
  | { readonly kind: "refused"; readonly errors: readonly ApplyError[] };

export interface ApplyError {
  readonly kind: ResourceKind;
  readonly name: string;
  readonly reason: "named_twice" | "wrong_name";
}

export class Current {
  readonly #workloads = new Map<string, Workload>();
  readonly #services = new Map<string, Service>();
  readonly #slices = new SliceIndex();
  readonly #enrolments = new Map<string, Enrolment>();
  readonly #policies = new Map<string, CompiledPolicy>();
  readonly #bundles = new Map<string, TrustBundle>();
  readonly #requestAuthentications = new Map<string, RequestAuthentication>();
  readonly #revocations = new RevocationIndex();
  #settings: MeshSettings | undefined;
  readonly #traffic = new TrafficIndex();
  #weightsVersion = 0;
  readonly #workloadsByAddress = new MultiIndex<Workload>();
  readonly #servicesByAddress = new MultiIndex<Service>();

  /** All of the changes or none of them. Removing what is not there is no error: it is gone. */
  apply(changes: Changes): Applied {
    const errors = mistakes(changes);
    if (errors.length > 0) return { kind: "refused", errors };
    const touched = new Set<ResourceKind>();
    for (const { kind, name } of changes.removals) {
      this.#remove(kind, name);
      touched.add(kind);
    }
    for (const { name, body } of changes.upserts) {
      if (body.kind === "workload" && body.value.weight !== this.weightOf(name)) {
        this.#weightsVersion += 1;
      }
      this.#remove(body.kind, name);
      this.#put(name, body);
      touched.add(body.kind);
    }
    return { kind: "applied", touched };
  }

  /** `changes` as told after a hello, "all there is": with the removal of what is held and not among its upserts. */
  completed(changes: Changes): Changes {
    const kept = new Set(changes.upserts.map((resource) => resourceKey(refOf(resource))));
    const gone = this.#held().filter((ref) => !kept.has(resourceKey(ref)));
    return { upserts: changes.upserts, removals: gone };
  }

  workload(uid: string): Workload | undefined {
    return this.#workloads.get(uid);
  }

  /** Of two that claim one address (it was reused before the old pod was gone) the one heard of last. */
  workloadAt(address: string): Workload | undefined {
    return this.#workloadsByAddress.last(address);
  }

  /** All that claim it, in the order in which they were heard of. */
  workloadsAt(address: string): readonly Workload[] {
    return this.#workloadsByAddress.all(address);
  }

  serviceAt(address: string): Service | undefined {
    return this.#servicesByAddress.last(address);
  }

  /** By `namespace/name`. */
  service(ref: string): Service | undefined {
    return this.#services.get(ref);
  }

  /** What its TrafficPolicy says. */
  trafficOf({ namespace, name }: Service): Traffic | undefined {
    return this.#traffic.of(`${namespace}/${name}`);
  }

  /** What HTTPRoutes and GRPCRoutes say of it. */
  routesOf({ namespace, name }: Service): ServiceRoutes | undefined {
    return this.#traffic.routes.get(`${namespace}/${name}`);
  }

  /** Of a workload that is not known yet: 1. */
  weightOf(uid: string): number {
    return this.#workloads.get(uid)?.weight ?? 1;
  }

  /** Changes whenever the weight of any workload does. */
  get weightsVersion(): number {
    return this.#weightsVersion;
  }

  slicesOf(service: Service): readonly EndpointSlice[] {
    return this.#slices.of(`${service.namespace}/${service.name}`);
  }

  /** Whether some Service has an endpoint there. */
  hasEndpoint(address: string, port: number): boolean {
    return this.#slices.hasEndpoint(address, port);
  }

  enrolment(uid: string): Enrolment | undefined {
    return this.#enrolments.get(uid);
  }

  /** By `namespace/name`. A policy that an enrolment names and that is missing here denies. */
  policy(ref: string): CompiledPolicy | undefined {
    return this.#policies.get(ref);
  }

  /** By `namespace/name`. One that an enrolment names and that is missing here refuses every request. */
  requestAuthentication(ref: string): RequestAuthentication | undefined {
    return this.#requestAuthentications.get(ref);
  }

  requestAuthentications(): IterableIterator<RequestAuthentication> {
    return this.#requestAuthentications.values();
  }

  bundles(): IterableIterator<TrustBundle> {
    return this.#bundles.values();
  }

  /** Whether a leaf of the own trust domain was taken back, by its serial in hex. */
  isRevoked(serial: string): boolean {
    return this.#revocations.isRevoked(serial);
  }

  settings(): MeshSettings | undefined {
    return this.#settings;
  }

  #held(): readonly ResourceRef[] {
    const kinds: readonly (readonly [ResourceKind, Iterable<string>])[] = [
      ["workload", this.#workloads.keys()],
      ["service", this.#services.keys()],
      ["endpointSlice", this.#slices.names()],
      ["enrolment", this.#enrolments.keys()],
      ["policy", this.#policies.keys()],
      ["bundle", this.#bundles.keys()],
      ["revocation", this.#revocations.names()],
      ["requestAuthentication", this.#requestAuthentications.keys()],
      ["traffic", this.#traffic.names()],
      ["routes", this.#traffic.routes.keys()],
    ];
    const held = kinds.flatMap(([kind, names]) => [...names].map((name) => ({ kind, name })));
    return this.#settings ? [...held, { kind: "settings", name: "mesh" }] : held;
  }

  #put(name: string, body: ResourceBody): void {
    switch (body.kind) {
      case "workload":
        this.#putWorkload(name, body.value);
        return;
      case "service":
        this.#putService(name, body.value);
        return;
      case "endpointSlice":
        this.#slices.put(name, body.value);
        return;
      case "enrolment":
        this.#enrolments.set(name, body.value);
        return;
      case "policy":
        this.#policies.set(name, body.value);
        return;
      case "bundle":
        this.#bundles.set(name, body.value);
        return;
      case "settings":
        this.#settings = body.value;
        return;
      case "revocation":
        this.#revocations.put(name, body.value);
        return;
      case "traffic":
        this.#traffic.put(body.value);
        return;
      case "requestAuthentication":
        this.#requestAuthentications.set(name, body.value);
        return;
      case "routes":
        this.#traffic.routes.set(name, body.value);
        return;
    }
  }

  #putWorkload(name: string, workload: Workload): void {
    this.#workloads.set(name, workload);
    for (const address of workload.addresses) this.#workloadsByAddress.add(address, workload);
  }

  #putService(name: string, service: Service): void {
    this.#services.set(name, service);
    for (const address of service.addresses) this.#servicesByAddress.add(address, service);
  }

  #remove(kind: ResourceKind, name: string): void {
    switch (kind) {
      case "workload":
        this.#removeWorkload(name);
        return;
      case "service":
        this.#removeService(name);
        return;
      case "endpointSlice":
        this.#slices.remove(name);
        return;
      case "enrolment":
        this.#enrolments.delete(name);
        return;
      case "policy":
        this.#policies.delete(name);
        return;
      case "bundle":
        this.#bundles.delete(name);
        return;
      case "settings":
        this.#settings = undefined;
        return;
      case "revocation":
        this.#revocations.remove(name);
        return;
      case "traffic":
        this.#traffic.remove(name);
        return;
      case "requestAuthentication":
        this.#requestAuthentications.delete(name);
        return;
      case "routes":
        this.#traffic.routes.delete(name);
        return;
    }
  }

  #removeWorkload(name: string): void {
    const workload = this.#workloads.get(name);
    for (const address of workload?.addresses ?? []) {
      this.#workloadsByAddress.delete(address, workload);
    }
    this.#workloads.delete(name);
  }

  #removeService(name: string): void {
    const service = this.#services.get(name);
    for (const address of service?.addresses ?? [])
      this.#servicesByAddress.delete(address, service);
    this.#services.delete(name);
  }
}

function mistakes({ upserts, removals }: Changes): readonly ApplyError[] {
  const seen = new Set<string>();
  const errors: ApplyError[] = [];
  for (const { kind, name } of [...removals, ...upserts.map(refOf)]) {
    const key = resourceKey({ kind, name });
    if (seen.has(key)) errors.push({ kind, name, reason: "named_twice" });
    seen.add(key);
  }
  for (const { name, body } of upserts) {
    if (resourceName(body) !== name) errors.push({ kind: body.kind, name, reason: "wrong_name" });
  }
  return errors;
}

function refOf({ name, body }: Resource): { kind: ResourceKind; name: string } {
  return { kind: body.kind, name };
}
