/** The objects that rule the mesh, parsed and compiled, refused ones included: they count as their parser says. */
import type { MeshSettings } from "../../core/model/mesh-settings.ts";
import type { MtlsModes } from "../../core/model/mtls-modes.ts";
import { type CompiledAuthorization, compileAuthorization } from "../compile/authorization.ts";
import { compileMeshSettings } from "../compile/mesh-settings.ts";
import { compileModes } from "../compile/peer-authentication.ts";
import { type SelectableWorkload, selectsWorkload } from "../compile/selects-workload.ts";
import {
  type ParsedAuthorizationPolicy,
  parseAuthorizationPolicy,
} from "../resources/authorization-policy.ts";
import type { KubeObject } from "../resources/kube-object.ts";
import {
  DEFAULT_MESH_SETTINGS,
  type ParsedMeshConfig,
  parseMeshConfig,
} from "../resources/mesh-config.ts";
import {
  type ParsedPeerAuthentication,
  type PeerAuthentication,
  parsePeerAuthentication,
} from "../resources/peer-authentication.ts";
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

export interface HeldMeshConfig {
  readonly object: KubeObject;
  readonly parsed: ParsedMeshConfig;
}

export class PolicyStore {
  readonly authorizations = new NamespacedStore<HeldAuthorization>();
  readonly peers = new NamespacedStore<HeldPeerAuthentication>();
  readonly meshConfigs = new NamespacedStore<HeldMeshConfig>();
  readonly #rootNamespace: string;
  #settings: MeshSettings = DEFAULT_MESH_SETTINGS;

  constructor(rootNamespace: string) {
    this.#rootNamespace = rootNamespace;
  }

  get settings(): MeshSettings {
    return this.#settings;
  }

  readAuthorization(object: KubeObject): HeldAuthorization {
    const parsed = parseAuthorizationPolicy(object, { rootNamespace: this.#rootNamespace });
    return { object, parsed, compiled: compileAuthorization(parsed) };
  }

  readPeerAuthentication(object: KubeObject): HeldPeerAuthentication {
    const parsed = parsePeerAuthentication(object);
    return { object, parsed, policy: parsed.kind === "accepted" ? parsed.value : parsed.present };
  }

  putMeshConfig(object: KubeObject): void {
    this.meshConfigs.put(object.metadata, { object, parsed: parseMeshConfig(object) });
    this.#settle();
  }

  dropMeshConfig(object: KubeObject): void {
    this.meshConfigs.drop(object.metadata);
    this.#settle();
  }

  isSelected(held: HeldAuthorization | undefined, workload: SelectableWorkload): boolean {
    return held?.compiled ? selectsWorkload(held.compiled, workload, this.#rootNamespace) : false;
  }

  /** `namespace/name` of every policy that selects the workload. */
  policiesOf(workload: SelectableWorkload): readonly string[] {
    return this.authorizations
      .reaching(workload.namespace, this.#rootNamespace)
      .filter((held) => this.isSelected(held, workload))
      .flatMap(({ compiled }) => (compiled ? [compiled.policy.ref] : []));
  }

  modesOf({ namespace, labels }: Pick<SelectableWorkload, "namespace" | "labels">): MtlsModes {
    const policies = this.peers
      .reaching(namespace, this.#rootNamespace)
      .flatMap(({ policy }) => (policy ? [policy] : []));
    return compileModes({ policies, namespace, labels, rootNamespace: this.#rootNamespace });
  }

  #settle(): void {
    const current = this.meshConfigs.get({ namespace: "", name: "default" });
    this.#settings = compileMeshSettings(current?.parsed, this.#settings);
  }
}
