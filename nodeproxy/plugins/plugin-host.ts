/**
 * One plugin on one traffic thread: hands its hooks what they are asked for, and lets none keep a request.
 *
 * Its thread does one task after another. Of the one that it has begun the time runs; where that is over the thread is
 * ended, whatever it does, and a new one goes on with those that waited behind: so a hook that stalls fails its own
 * request alone, and nothing that it has left behind lives on.
 */
import type { PluginSettings } from "../../core/model/mesh-settings.ts";
import type { HookCall, HookResult, PluginFailure } from "./hook-result.ts";
import type { HookName, NumberedTask, PluginTask, PluginWord } from "./plugin-messages.ts";
import { PluginThread } from "./plugin-thread.ts";

interface Waiting {
  readonly task: NumberedTask;
  readonly config: string;
  /** `undefined` of a configuration that is made. */
  readonly settle: ((result: HookResult) => void) | undefined;
}

interface Instance {
  readonly number: number;
  /** `undefined`: not made yet. */
  hooks: readonly HookName[] | undefined;
  invalid: string | undefined;
}

const MAX_WAITING = 1_000;
/** To load a plugin, or to say a first word of what waits; also on a machine that has much to do. */
const SILENCE_MS = 10_000;
/** Of `create`, where the plugin's own time is shorter. */
const CREATE_MS = 1_000;
/** Before another try to load what did not load, or ended on its own again and again. */
const PAUSE_MS = 2_000;
/** Ends without a task to blame, one after another. */
const MAX_ENDS = 3;
const MAX_ENDING = 3;
/** Configurations of one thread; one more begins with another thread. */
const MAX_INSTANCES = 256;

export class PluginHost {
  readonly settings: PluginSettings;
  #thread: PluginThread | undefined;
  /** In the order in which the thread has them. */
  readonly #waiting = new Map<number, Waiting>();
  readonly #instances = new Map<string, Instance>();
  #lastId = 0;
  #lastInstance = 0;
  #begun: number | undefined;
  #timer: NodeJS.Timeout | undefined;
  #ends = 0;
  #pausedUntilMs = 0;
  #trouble = "";
  #isLoaded = false;
  #isRetired = false;
  /** Threads that were told to end and have not: one that fills its memory may take long. */
  #ending = 0;

  constructor(settings: PluginSettings) {
    this.settings = settings;
  }

  /** Whether requests with that configuration need to be asked about; true as long as nobody knows. */
  has(config: string, hook: HookName): boolean {
    return this.#instances.get(config)?.hooks?.includes(hook) ?? true;
  }

  /** Never rejects. `config`: JSON. */
  call(config: string, call: HookCall): Promise<HookResult> {
    if (this.#waiting.size >= MAX_WAITING) return failed("plugin_overloaded", "too many wait");
    if (performance.now() < this.#pausedUntilMs) return failed("plugin_failed", this.#trouble);
    if (this.#ending >= MAX_ENDING) return failed("plugin_failed", "its threads do not end");
    const invalid = this.#instances.get(config)?.invalid;
    if (invalid !== undefined) return failed("plugin_config_invalid", invalid);
    if (!this.has(config, call.kind)) return Promise.resolve({ kind: "none" });
    const { promise, resolve } = Promise.withResolvers<HookResult>();
    if (this.#instances.size >= MAX_INSTANCES && !this.#instances.has(config)) this.#restart();
    this.#send(call, { config, settle: resolve });
    return promise;
  }

  /** Ends once nothing waits; takes nothing more. */
  retire(): void {
    this.#isRetired = true;
    if (this.#waiting.size === 0) void this.close();
  }

  async close(): Promise<void> {
    clearTimeout(this.#timer);
    const thread = this.#thread;
    this.#thread = undefined;
    this.#failAll("plugin_failed", "the node proxy ends it");
    await thread?.end();
  }

  #send(task: PluginTask, { config, settle }: Pick<Waiting, "config" | "settle">): void {
    this.#thread ??= this.#start();
    const instance = this.#instances.get(config) ?? this.#create(config);
    this.#lastId += 1;
    const numbered = { ...task, id: this.#lastId, instance: instance.number };
    this.#waiting.set(numbered.id, { task: numbered, config, settle });
    this.#thread.post(numbered);
    if (this.#begun === undefined) this.#awaitWord();
  }

  #create(config: string): Instance {
    this.#lastInstance += 1;
    const instance = { number: this.#lastInstance, hooks: undefined, invalid: undefined };
    this.#instances.set(config, instance);
    this.#send({ kind: "create", config }, { config, settle: undefined });
    return instance;
  }

  #start(): PluginThread {
    const { name, source } = this.settings;
    this.#isLoaded = false;
    this.#awaitWord();
    return new PluginThread(
      { name, source },
      {
        onBegun: (id) => this.#begin(id),
        onWord: (word) => this.#hear(word),
        onEnd: (message) => this.#ended(message),
      },
    );
  }

  #begin(id: number): void {
    const waiting = this.#waiting.get(id);
    if (!waiting) return;
    this.#begun = id;
    const { timeoutMs } = this.settings;
    const isCreate = waiting.task.kind === "create";
    clearTimeout(this.#timer);
    this.#timer = setTimeout(
      // What it has said meanwhile is heard before it is judged.
      () => setImmediate(() => this.#late(id)),
      isCreate ? Math.max(CREATE_MS, timeoutMs) : timeoutMs,
    );
  }

  #hear(word: PluginWord): void {
    switch (word.kind) {
      case "loaded":
        this.#isLoaded = true;
        this.#awaitWord();
        return;
      case "broken":
        this.#giveUp(word.message);
        return;
      case "created":
      case "invalid":
        this.#made(word);
        return;
      case "returned":
        this.#settle(word.id, { kind: "returned", value: word.value });
        return;
      case "full":
        this.#blame(word.id, "plugin_failed", "it keeps more buffers than it may");
        this.#restart();
        return;
      case "threw":
        this.#settle(word.id, fail("plugin_failed", word.message));
        return;
    }
  }

  #made(word: Extract<PluginWord, { readonly kind: "created" | "invalid" }>): void {
    const waiting = this.#waiting.get(word.id);
    const instance = this.#instances.get(waiting?.config ?? "");
    if (!waiting || !instance) return;
    if (word.kind === "created") instance.hooks = word.hooks;
    else this.#refuseConfig(waiting.config, word.message);
    this.#settle(word.id, { kind: "none" });
  }

  #refuseConfig(config: string, message: string): void {
    const instance = this.#instances.get(config);
    if (instance) instance.invalid = message;
    for (const [id, waiting] of this.#waiting) {
      if (waiting.config !== config || !waiting.settle) continue;
      this.#waiting.delete(id);
      waiting.settle(fail("plugin_config_invalid", message));
    }
  }

  #settle(id: number, result: HookResult): void {
    const waiting = this.#waiting.get(id);
    if (!waiting) return;
    this.#waiting.delete(id);
    this.#begun = undefined;
    this.#ends = 0;
    this.#awaitWord();
    waiting.settle?.(result);
    if (this.#isRetired && this.#waiting.size === 0) void this.close();
  }

  /** Its time is over, if it is not done by now. */
  #late(id: number): void {
    if (this.#begun !== id) return;
    this.#blame(id, "plugin_timeout", `not done in ${this.settings.timeoutMs} ms`);
    this.#restart();
  }

  /** The task that was begun is lost, and no other. */
  #blame(id: number, code: PluginFailure, message: string): void {
    const waiting = this.#waiting.get(id);
    this.#waiting.delete(id);
    this.#begun = undefined;
    if (!waiting) return;
    if (waiting.settle) waiting.settle(fail(code, message));
    else this.#refuseConfig(waiting.config, `create: ${message}`);
  }

  #ended(message: string): void {
    this.#thread = undefined;
    if (this.#begun !== undefined) {
      this.#blame(this.#begun, "plugin_failed", message);
      this.#restart();
    } else this.#endedIdle(message);
  }

  #endedIdle(message: string): void {
    this.#ends += 1;
    if (!this.#isLoaded || this.#ends >= MAX_ENDS) this.#giveUp(message);
    else this.#restart();
  }

  /** Nothing is begun: the thread has to say something soon, where something waits. */
  #awaitWord(): void {
    clearTimeout(this.#timer);
    if (this.#begun !== undefined || (this.#isLoaded && this.#waiting.size === 0)) return;
    this.#timer = setTimeout(() => setImmediate(() => this.#silent()), SILENCE_MS);
    if (this.#waiting.size === 0) this.#timer.unref();
  }

  #silent(): void {
    if (this.#begun === undefined && this.#waiting.size > 0) this.#endedIdle("it does not answer");
  }

  #giveUp(message: string): void {
    this.#trouble = message;
    this.#ends = 0;
    this.#pausedUntilMs = performance.now() + PAUSE_MS;
    this.#forgetThread();
    this.#failAll("plugin_failed", message);
  }

  #failAll(code: PluginFailure, message: string): void {
    const all = [...this.#waiting.values()];
    this.#waiting.clear();
    for (const { settle } of all) settle?.(fail(code, message));
  }

  /** With all that waits, in its order. A configuration that was refused stays so. */
  #restart(): void {
    this.#forgetThread();
    const all = [...this.#waiting.values()].filter(({ settle }) => settle !== undefined);
    this.#waiting.clear();
    for (const { task, config, settle } of all) {
      if (task.kind !== "create") this.#send(task, { config, settle });
    }
  }

  async #endThread(thread: PluginThread): Promise<void> {
    this.#ending += 1;
    await thread.end();
    this.#ending -= 1;
  }

  #forgetThread(): void {
    clearTimeout(this.#timer);
    this.#begun = undefined;
    if (this.#thread) void this.#endThread(this.#thread);
    this.#thread = undefined;
    const valid = [...this.#instances].filter(([, { invalid }]) => invalid === undefined);
    for (const [config] of valid) this.#instances.delete(config);
    if (this.#instances.size >= MAX_INSTANCES) this.#instances.clear();
  }
}

function fail(code: PluginFailure, message: string) {
  return { kind: "failed", code, message } as const;
}

function failed(code: PluginFailure, message: string): Promise<HookResult> {
  return Promise.resolve(fail(code, message));
}
