/** What is asked of a plugin's hook, and what came of it. */
import type { PluginRequest } from "./plugin-api.ts";

export interface HookCall {
  readonly kind: "request";
  readonly request: PluginRequest;
}

export type HookResult =
  /** As the plugin returned it: not checked. */
  | { readonly kind: "returned"; readonly value: unknown }
  /** It has no such hook. */
  | { readonly kind: "none" }
  | { readonly kind: "failed"; readonly code: PluginFailure; readonly message: string };

export type PluginFailure =
  | "plugin_failed"
  | "plugin_timeout"
  | "plugin_config_invalid"
  | "plugin_overloaded";
