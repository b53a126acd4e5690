/** Which plugins run? Those of MeshConfig whose ConfigMap has their code; the others are told of, and requests that need them fail. */
import type { PluginSettings } from "../../core/model/mesh-settings.ts";
import type { Reason } from "../resources/fields.ts";
import type { PluginDeclaration } from "../resources/plugins.ts";
import { PLUGIN_LABEL } from "../resources/plugins.ts";

/** `data` of the ConfigMaps that hold plugins, by name. */
export type PluginSources = ReadonlyMap<string, Readonly<Record<string, unknown>>>;

/** In UTF-8: nodes hold it with all other settings of the mesh. */
const MAX_SOURCE = 256 << 10;
/** At most, of one UTF-16 unit. */
const OCTETS = 3;

export function compilePlugins(
  declared: readonly PluginDeclaration[],
  sources: PluginSources,
): readonly PluginSettings[] {
  return declared.flatMap((plugin) => {
    const source = sourceOf(plugin, sources);
    if (typeof source !== "string") return [];
    const { name, timeoutMs, failOpen } = plugin;
    return [{ name, source, timeoutMs, failOpen }];
  });
}

/** Why some do not run. */
export function missingPlugins(
  declared: readonly PluginDeclaration[],
  sources: PluginSources,
): readonly Reason[] {
  return declared.flatMap((plugin, i) => {
    const source = sourceOf(plugin, sources);
    if (typeof source === "string") return [];
    return [{ field: `spec.plugins[${i}].configMap`, message: source.why }];
  });
}

function sourceOf(
  { configMap, key }: PluginDeclaration,
  sources: PluginSources,
): string | { readonly why: string } {
  const data = sources.get(configMap);
  if (!data) {
    return { why: `there is no ConfigMap ${configMap} labelled ${PLUGIN_LABEL}: "true"` };
  }
  const source = Object.hasOwn(data, key) ? data[key] : undefined;
  if (typeof source !== "string") return { why: `ConfigMap ${configMap} has no ${key}` };
  const isSmall = source.length * OCTETS <= MAX_SOURCE || octetsOf(source) <= MAX_SOURCE;
  return isSmall ? source : { why: `${key} of ConfigMap ${configMap} is longer than 256 KiB` };
}

function octetsOf(text: string): number {
  let octets = 0;
  for (const character of text) {
    const code = character.codePointAt(0) ?? 0;
    octets += code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x1_0000 ? 3 : 4;
  }
  return octets;
}
