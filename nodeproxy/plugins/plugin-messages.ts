/**
 * What a plugin's host and its thread say to each other. All of it is text, so that no object of one reaches the other,
 * but for the number of a task, which the thread says alone as it begins with it.
 */
import type { PluginRequest } from "./plugin-api.ts";

/** What the thread is started with. */
export interface PluginStart {
  readonly name: string;
  readonly source: string;
}

/** To the thread, which does one after another. */
export type PluginTask =
  /** `config`: JSON. */
  | { readonly kind: "create"; readonly config: string }
  | { readonly kind: "request"; readonly request: PluginRequest };

/** `instance`: number of the configuration. */
export type NumberedTask = PluginTask & { readonly id: number; readonly instance: number };

export type HookName = "request";

/** From the thread. What a hook returned is still to be checked. */
export type PluginWord =
  | { readonly kind: "loaded" }
  /** The module does not run, and never will. */
  | { readonly kind: "broken"; readonly message: string }
  | { readonly kind: "created"; readonly id: number; readonly hooks: readonly HookName[] }
  /** The configuration is not what the plugin takes. */
  | { readonly kind: "invalid"; readonly id: number; readonly message: string }
  | { readonly kind: "returned"; readonly id: number; readonly value: unknown }
  /** It keeps more memory than it may, beside its heap. */
  | { readonly kind: "full"; readonly id: number }
  | { readonly kind: "threw"; readonly id: number; readonly message: string };

/** Of one word, in UTF-16 units: nothing longer is read. */
export const MAX_WORD = 512 << 10;
