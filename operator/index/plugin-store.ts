/** The ConfigMaps of the root namespace that hold plugins, and what there is to tell of those that MeshConfig names. */
import type { MeshSettings } from "../../core/model/mesh-settings.ts";
import { compilePlugins, missingPlugins } from "../compile/plugins.ts";
import type { Reason } from "../resources/fields.ts";
import type { KubeObject } from "../resources/kube-object.ts";
import { asRecord } from "../resources/narrow.ts";
import { PLUGIN_LABEL, type PluginDeclaration } from "../resources/plugins.ts";

export class PluginStore {
  readonly #rootNamespace: string;
  readonly #sources = new Map<string, Readonly<Record<string, unknown>>>();

  constructor(rootNamespace: string) {
    this.#rootNamespace = rootNamespace;
  }

  /** Of whichever namespace: another's is none of the mesh's. */
  set({ metadata, ...object }: KubeObject, isThere: boolean): void {
    if (metadata.namespace !== this.#rootNamespace) return;
    const isPlugin = isThere && metadata.labels[PLUGIN_LABEL] === "true";
    if (isPlugin) this.#sources.set(metadata.name, asRecord(object["data"]) ?? {});
    else this.#sources.delete(metadata.name);
  }

  /** The settings as nodes are told. */
  complete(settings: MeshSettings, declared: readonly PluginDeclaration[]): MeshSettings {
    const plugins = compilePlugins(declared, this.#sources);
    return plugins.length === 0 ? settings : { ...settings, plugins };
  }

  missing(declared: readonly PluginDeclaration[]): readonly Reason[] {
    return missingPlugins(declared, this.#sources);
  }
}
