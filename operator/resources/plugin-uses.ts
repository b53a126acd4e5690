/** Reads `http.plugins` of a TrafficPolicy: which plugins see its Services' requests, in that order, and with what configuration. */
import type { PluginUse } from "../../core/model/http-settings.ts";
import { type Field, isObjectOf, listOf, member, refuse } from "./fields.ts";
import { MAX_PLUGINS, readPluginName } from "./plugins.ts";

/** As JSON: each thread that runs the plugin holds it. */
const MAX_CONFIG = 4_096;

/** `undefined`: none. */
export function readPluginUses(http: Field): readonly PluginUse[] | undefined {
  const uses = listOf(http, "plugins", readUse);
  const field = member(http, "plugins");
  if (!field) return undefined;
  if (uses.length > MAX_PLUGINS) refuse(field, `must be at most ${MAX_PLUGINS}`);
  return uses;
}

function readUse(use: Field): PluginUse | undefined {
  if (!isObjectOf(use, ["name", "config"])) return undefined;
  const name = readPluginName(use);
  const field = member(use, "config");
  // What YAML has and JSON has not (a time, a number without end) is no matter here: the plugin's schema sees JSON.
  const config = JSON.stringify(field?.value ?? null);
  if (field && config.length > MAX_CONFIG) refuse(field, `must be at most ${MAX_CONFIG} as JSON`);
  return { name, config };
}
