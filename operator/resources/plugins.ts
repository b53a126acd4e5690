/** Reads what MeshConfig says of plugins: which there are, and in which ConfigMaps of the root namespace their code is. */
import { durationMs } from "./duration.ts";
import { type Field, isObjectOf, listOf, member, refuse, text } from "./fields.ts";
import { missing } from "./gateway-fields.ts";
import { objectMember } from "./members.ts";

export interface PluginDeclaration {
  readonly name: string;
  readonly configMap: string;
  /** Of the ConfigMap's `data`. */
  readonly key: string;
  readonly timeoutMs: number;
  readonly failOpen: boolean;
}

/** Only ConfigMaps that have it, as "true", are read. */
export const PLUGIN_LABEL = "weft.dev/plugin";
export const MAX_PLUGINS = 8;

const DEFAULT_TIMEOUT_MS = 100;
const MAX_TIMEOUT_MS = 10_000;
const NAME = /^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/;
/** Of Kubernetes. */
const CONFIG_MAP = /^(?=.{1,253}$)[a-z0-9]([-.a-z0-9]*[a-z0-9])?$/;
const KEY = /^(?!\.\.?$)[-._a-zA-Z0-9]{1,253}$/;

export function readPlugins(spec: Field): readonly PluginDeclaration[] {
  const plugins = listOf(spec, "plugins", readPlugin);
  const field = member(spec, "plugins");
  if (!field) return [];
  if (plugins.length > MAX_PLUGINS) refuse(field, `must be at most ${MAX_PLUGINS}`);
  const names = plugins.map(({ name }) => name);
  const twice = names.find((name, i) => name !== "" && names.indexOf(name) !== i);
  if (twice !== undefined) refuse(field, `${twice} is named twice`);
  return plugins;
}

/** Of MeshConfig and of a TrafficPolicy alike. */
export function readPluginName(plugin: Field): string {
  return matching(plugin, "name", [NAME, "must be a DNS label"]);
}

function readPlugin(plugin: Field): PluginDeclaration | undefined {
  if (!isObjectOf(plugin, ["name", "configMap", "timeout", "failOpen"])) return undefined;
  const configMap = objectMember(plugin, "configMap", ["name", "key"]);
  if (!member(plugin, "configMap")) refuse(missing(plugin, "configMap"), "must be given");
  const failOpen = member(plugin, "failOpen");
  if (failOpen && typeof failOpen.value !== "boolean") refuse(failOpen, "must be true or false");
  return {
    name: readPluginName(plugin),
    configMap: configMap
      ? matching(configMap, "name", [CONFIG_MAP, "must be the name of a ConfigMap"])
      : "",
    key: configMap ? matching(configMap, "key", [KEY, "must be a key of a ConfigMap"]) : "",
    timeoutMs: readTimeout(plugin),
    failOpen: failOpen?.value === true,
  };
}

function readTimeout(plugin: Field): number {
  const field = member(plugin, "timeout");
  const ms = field && durationMs(field, 1);
  if (field && ms !== undefined && ms > MAX_TIMEOUT_MS) refuse(field, "must be at most 10s");
  return ms ?? DEFAULT_TIMEOUT_MS;
}

function matching(
  parent: Field,
  name: string,
  [pattern, message]: readonly [pattern: RegExp, message: string],
): string {
  const field = member(parent, name);
  if (!field) refuse(missing(parent, name), "must be given");
  const value = field && text(field);
  if (field && value !== undefined && !pattern.test(value)) refuse(field, message);
  return value ?? "";
}
