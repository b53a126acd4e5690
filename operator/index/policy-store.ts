/** The objects that rule the mesh, parsed and compiled, refused ones included: they count as their parser says. */
import type { MeshSettings } from "../../core/model/mesh-settings.ts";
import type { MtlsModes } from "../../core/model/mtls-modes.ts";
import { type CompiledAuthorization, compileAuthorization } from "../compile/authorization.ts";
import { compileMeshSettings } from "../compile/mesh-settings.ts";
import { compileModes } from "../compile/peer-authentication.ts";
import {
  type CompiledRequestAuthentication,
  compileRequestAuthentication,
} from "../compile/request-authentication.ts";
import { type SelectableWorkload, selectsWorkload } from "../compile/selects-workload.ts";
import { ruleTraffic, type TrafficRuling } from "../compile/traffic-policy.ts";
import {
  type ParsedAuthorizationPolicy,
  parseAuthorizationPolicy,
} from "../resources/authorization-policy.ts";
import type { KubeObject } from "../resources/kube-object.ts";
import {
  DEFAULT_MESH_SETTINGS,
  type IssuerRef,
  type ParsedMeshConfig,
  parseMeshConfig,
} from "../resources/mesh-config.ts";
import {
  type ParsedPeerAuthentication,
  type PeerAuthentication,
  parsePeerAuthentication,
} from "../resources/peer-authentication.ts";
import type { PluginDeclaration } from "../resources/plugins.ts";
import {
  type ParsedRequestAuthentication,
  parseRequestAuthentication,
} from "../resources/request-authentication.ts";
import type { ParsedTrafficPolicy } from "../resources/traffic-policy.ts";
import { NamespacedStore } from "./namespaced-store.ts";

export interface HeldAuthorization {
  readonly object: KubeObject;
  readonly parsed: ParsedAuthorizationPolicy;
  readonly compiled: CompiledAuthorization | undefined;
}

export interface HeldPeerAuthentication {
  readonly object: KubeObject;
  readonly parsed: ParsedPeerAuthentication;
  /** What it counts as. */
  readonly policy: PeerAuthentication | undefined;
}

export interface HeldRequestAuthentication {
  readonly object: KubeObject;
  readonly parsed: ParsedRequestAuthentication;
  readonly compiled: CompiledRequestAuthentication | undefined;
}

export interface HeldMeshConfig {
  readonly object: KubeObject;
  readonly parsed: ParsedMeshConfig;
}

export interface HeldTrafficPolicy {
  readonly object: KubeObject;
  readonly parsed: ParsedTrafficPolicy;
}

export class PolicyStore {
  readonly authorizations = new NamespacedStore<HeldAuthorization>();
  readonly peers = new NamespacedStore<HeldPeerAuthentication>();
  readonly requestAuthentications = new NamespacedStore<HeldRequestAuthentication>();
  readonly traffic = new NamespacedStore<HeldTrafficPolicy>();
  readonly meshConfigs = new NamespacedStore<HeldMeshConfig>();
  readonly #rootNamespace: string;
  /** As MeshConfig says. */
  #configured: MeshSettings = DEFAULT_MESH_SETTINGS;
  /** As nodes are told. */
  #settings: MeshSettings = DEFAULT_MESH_SETTINGS;
  #trustDomain: string | undefined;
  #issuerRef: IssuerRef | undefined;
  #plugins: readonly PluginDeclaration[] = [];

  constructor(rootNamespace: string) {
    this.#rootNamespace = rootNamespace;
  }

  get settings(): MeshSettings {
    return this.#settings;
  }

  /** Who signs the mesh's intermediate; `undefined` for the operator itself. */
  get issuerRef(): IssuerRef | undefined {
    return this.#issuerRef;
  }

  /** As MeshConfig names them. */
  get plugins(): readonly PluginDeclaration[] {
    return this.#plugins;
  }

  /** Of the certificates that are issued. From here on another one in MeshConfig waits for a restart. */
  set trustDomain(trustDomain: string) {
    this.#trustDomain = trustDomain;
    this.#settle();
  }

  /** MeshConfig names another trust domain than the certificates carry. */
  get needsRestart(): boolean {
    return this.#configured.trustDomain !== this.#settings.trustDomain;
  }

  readAuthorization(object: KubeObject): HeldAuthorization {
    const parsed = parseAuthorizationPolicy(object, { rootNamespace: this.#rootNamespace });
    return { object, parsed, compiled: compileAuthorization(parsed) };
  }

  readPeerAuthentication(object: KubeObject): HeldPeerAuthentication {
    const parsed = parsePeerAuthentication(object);
    return { object, parsed, policy: parsed.kind === "accepted" ? parsed.value : parsed.present };
  }

  /** True where nothing but its status has changed since it was read: then that is all that is taken. */
  takeStatus(object: KubeObject): boolean {
    if (object.kind === "AuthorizationPolicy") return takeStatus(this.authorizations, object);
    if (object.kind === "PeerAuthentication") return takeStatus(this.peers, object);
    if (object.kind === "RequestAuthentication") {
      return takeStatus(this.requestAuthentications, object);
    }
    if (object.kind === "TrafficPolicy") return takeStatus(this.traffic, object);
    return false;
  }

  readRequestAuthentication(object: KubeObject): HeldRequestAuthentication {
    const parsed = parseRequestAuthentication(object);
    return { object, parsed, compiled: compileRequestAuthentication(parsed) };
  }

  setMeshConfig(object: KubeObject, isThere: boolean): void {
    const { metadata } = object;
    if (isThere) this.meshConfigs.put(metadata, { object, parsed: parseMeshConfig(object) });
    else this.meshConfigs.drop(metadata);
    this.#settle();
  }

  /** Whether any policy of the namespace selects by Service; few do, and the others need not ask. */
  hasServiceScopes(namespace: string): boolean {
    return [this.authorizations, this.requestAuthentications].some((store) =>
      store.inNamespace(namespace).some(({ compiled }) => compiled?.scope.kind === "services"),
    );
  }

  isSelected(held: HeldAuthorization | undefined, workload: SelectableWorkload): boolean {
    return held?.compiled ? selectsWorkload(held.compiled, workload, this.#rootNamespace) : false;
  }

  /** Every policy that selects the workload. */
  policiesOf(workload: SelectableWorkload): readonly CompiledAuthorization[] {
    return this.authorizations
      .reaching(workload.namespace, this.#rootNamespace)
      .filter((held) => this.isSelected(held, workload))
      .flatMap(({ compiled }) => (compiled ? [compiled] : []));
  }

  /** Whether anything that can rule the namespace's pods asks for HTTP. */
  asksForHttp(namespace: string): boolean {
    const root = this.#rootNamespace;
    return (
      this.requestAuthentications.reaching(namespace, root).length > 0 ||
      this.hasRateLimits(namespace) ||
      this.authorizations.reaching(namespace, root).some(({ compiled }) => compiled?.http.asks)
    );
  }

  /** `namespace/name` of every RequestAuthentication that selects the workload. */
  requestAuthenticationsOf(workload: SelectableWorkload): readonly string[] {
    return this.requestAuthentications
      .reaching(workload.namespace, this.#rootNamespace)
      .flatMap(({ compiled }) =>
        compiled && selectsWorkload(compiled, workload, this.#rootNamespace)
          ? [compiled.authentication.ref]
          : [],
      );
  }

  /** Among the namespace's TrafficPolicies. */
  trafficRuling(namespace: string): TrafficRuling {
    const policies = this.traffic.inNamespace(namespace);
    return ruleTraffic(
      policies.flatMap(({ parsed }) => (parsed.kind === "accepted" ? [parsed.value] : [])),
    );
  }

  /** Whether a TrafficPolicy of the namespace limits requests; few do, and the others need not ask. */
  hasRateLimits(namespace: string): boolean {
    return this.traffic
      .inNamespace(namespace)
      .some(({ parsed }) => parsed.kind === "accepted" && parsed.value.rateLimits.length > 0);
  }

  modesOf({ namespace, labels }: Pick<SelectableWorkload, "namespace" | "labels">): MtlsModes {
    const policies = this.peers
      .reaching(namespace, this.#rootNamespace)
      .flatMap(({ policy }) => (policy ? [policy] : []));
    return compileModes({ policies, namespace, labels, rootNamespace: this.#rootNamespace });
  }

  #settle(): void {
    const current = this.meshConfigs.get({ namespace: "", name: "default" });
    this.#configured = compileMeshSettings(current?.parsed, this.#configured);
    // As with settings: a bad MeshConfig leaves the last good one in force.
    if (current?.parsed.kind !== "refused") {
      this.#issuerRef = current?.parsed.value.issuerRef;
      this.#plugins = current?.parsed.value.plugins ?? [];
    }
    this.#settings = pinned(this.#configured, this.#trustDomain ?? this.#configured.trustDomain);
  }
}

function takeStatus<Held extends { readonly object: KubeObject }>(
  store: NamespacedStore<Held>,
  object: KubeObject,
): boolean {
  const held = store.get(object.metadata);
  if (!held || writtenOf(held.object) !== writtenOf(object)) return false;
  store.put(object.metadata, { ...held, object });
  return true;
}

/**
 * What its author wrote: the API server counts changes of the spec, and annotations beside. A source
 * that counts nothing (files) writes no status either.
 */
function writtenOf(object: KubeObject): string {
  const { uid, generation, labels, annotations } = object.metadata;
  return JSON.stringify([uid, labels, annotations, generation > 0 ? generation : object.spec]);
}

/**
 * The identities that peers show and expect must be those of the certificates in use, or every tunnel
 * would be refused. Until then the new name is an alias, so that policies may be written with it.
 */
function pinned(settings: MeshSettings, trustDomain: string): MeshSettings {
  if (settings.trustDomain === trustDomain) return settings;
  const names = [settings.trustDomain, ...settings.trustDomainAliases];
  return {
    ...settings,
    trustDomain,
    trustDomainAliases: names.filter((name) => name !== trustDomain),
  };
}
