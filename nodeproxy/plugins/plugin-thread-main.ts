/**
 * The program of a plugin's thread: loads the plugin, makes what its configurations ask for, and calls its hooks, one
 * after another: so whatever does not come back is the one that was begun last. Its host judges times and what comes out.
 */
import { stripTypeScriptTypes } from "node:module";
import { parentPort, workerData } from "node:worker_threads";
import { type Schema, Validator } from "@cfworker/json-schema";
import type { Plugin, PluginModule } from "./plugin-api.ts";
import { type HookName, MAX_WORD, type NumberedTask, type PluginStart } from "./plugin-messages.ts";
import { sealThread } from "./seal-thread.ts";

const MAX_MESSAGE = 500;
/** Beside the heap, which has a limit of its own. */
const MAX_BUFFERS = 32 << 20;

/** Bound before the plugin can put anything in their places. */
const { parse, stringify } = JSON;
const memory = process.memoryUsage.bind(process);
const post = parentPort?.postMessage.bind(parentPort);
const start = workerData as PluginStart;
const plugins = new Map<number, Plugin>();

await load();

async function load(): Promise<void> {
  const port = parentPort;
  if (!port) return;
  let module: PluginModule;
  try {
    const source = stripTypeScriptTypes(start.source);
    const address = sealThread(start.name, source);
    module = (await import(address)) as PluginModule;
    if (typeof module.create !== "function") throw new Error("it exports no function create");
  } catch (error) {
    say({ kind: "broken", message: textOf(error) });
    return;
  }
  let last = Promise.resolve();
  port.on("message", (text: string) => {
    last = last.then(() => perform(module, parse(text) as NumberedTask));
  });
  say({ kind: "loaded" });
}

async function perform(module: PluginModule, task: NumberedTask): Promise<void> {
  const { id } = task;
  post?.(id);
  try {
    if (task.kind === "create") create(module, task);
    else {
      const value = await plugins.get(task.instance)?.onRequest?.(task.request);
      const isFull = memory().arrayBuffers > MAX_BUFFERS;
      say(isFull ? { kind: "full", id } : { kind: "returned", id, value });
    }
  } catch (error) {
    say({ kind: "threw", id, message: textOf(error) });
  }
}

function create(
  module: PluginModule,
  { id, instance, config }: Extract<NumberedTask, { readonly kind: "create" }>,
): void {
  const value = parse(config);
  const { schema } = module;
  if (schema !== undefined) {
    const { valid, errors } = new Validator(schema as Schema, "2020-12").validate(value);
    const [first] = errors.slice(-1);
    if (!valid) {
      say({ kind: "invalid", id, message: `${first?.instanceLocation}: ${first?.error}` });
      return;
    }
  }
  let plugin: Plugin;
  try {
    // One that returns nothing has no hooks.
    plugin = Object(module.create(value)) as Plugin;
  } catch (error) {
    say({ kind: "invalid", id, message: textOf(error) });
    return;
  }
  plugins.set(instance, plugin);
  const hooks: HookName[] = [];
  if (typeof plugin.onRequest === "function") hooks.push("request");
  say({ kind: "created", id, hooks });
}

/** What is no JSON, or too long, is an error of the plugin. */
function say(word: object): void {
  const text = stringify(word);
  if (text.length > MAX_WORD) throw new Error("it returned more than can be read");
  post?.(text);
}

/** Never throws, whatever was thrown. */
function textOf(error: unknown): string {
  try {
    if (!Error.isError(error)) return `it threw no error: ${typeof error}`;
    return `${error.name}: ${error.message}`.slice(0, MAX_MESSAGE);
  } catch {
    return "it threw what cannot be read";
  }
}
