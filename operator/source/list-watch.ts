/**
 * Keeps one kind in step with the API server: a list in pages, then a watch from there.
 *
 * A watch that ended as it should goes on at its last version. Whatever else happened (410 Gone,
 * refused, broken off, silent, a server that forgot) a new list is compared with what was told: so
 * no deletion is missed, and what has not changed is not told again.
 */
import { setTimeout as sleep } from "node:timers/promises";
import type { KubeApi } from "../../core/kube/kube-api.ts";
import { KubeError } from "../../core/kube/kube-error.ts";
import { type Backoff, backoffDelayMs } from "../../core/process/backoff.ts";
import type { Log } from "../../core/process/log.ts";
import { type KubeObject, parseKubeObject } from "../resources/kube-object.ts";
import { asList, asRecord, asText } from "../resources/narrow.ts";
import type { WatchedKind } from "../resources/watched-kinds.ts";
import type { SourceError } from "./source.ts";
import { makeTombstone } from "./tombstone.ts";
import type { WatchClient } from "./watch-events.ts";

export interface ListWatchTiming {
  /** Asked of the server for each watch; up to half of it more, so that not all end at once. */
  readonly watchSeconds: number;
  /** How much longer than it may last a watch may be silent. */
  readonly idleGraceMs: number;
  readonly listTimeoutMs: number;
  readonly pageSize: number;
  /** When a kind that is not installed is asked for again. */
  readonly absentMs: number;
  readonly backoff: Backoff;
}

export const LIST_WATCH_TIMING: ListWatchTiming = {
  watchSeconds: 60,
  idleGraceMs: 10_000,
  listTimeoutMs: 30_000,
  pageSize: 500,
  absentMs: 5_000,
  backoff: { minMs: 200, maxMs: 10_000 },
};

export interface ListWatchOptions {
  readonly kind: WatchedKind;
  readonly api: KubeApi;
  readonly watches: WatchClient;
  readonly timing: ListWatchTiming;
  readonly log: Log;
  readonly onChange: (change: "upsert" | "delete", object: KubeObject) => void;
  /** After the first list was told. */
  readonly onListed: () => void;
  /** It broke, and begins again with a list. */
  readonly onRestart?: (kind: string) => void;
}

interface Known {
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
  readonly resourceVersion: string;
}

export class ListWatch {
  readonly #options: ListWatchOptions;
  /** By version, the newest first; all but the first only where that is not served. */
  readonly #paths: readonly string[];
  readonly #selection: { readonly labelSelector?: string };
  #serving = 0;
  readonly #known = new Map<string, Known>();
  readonly #closing = new AbortController();
  /** Where the watch goes on; "" asks for a new list. */
  #version = "";
  #failures = 0;
  #error: SourceError | undefined;
  #running: Promise<void> = Promise.resolve();

  constructor(options: ListWatchOptions) {
    const { apiVersion, olderVersion, plural, only } = options.kind;
    const place = only ? `namespaces/${only.namespace}/${plural}` : plural;
    this.#options = options;
    this.#selection = only ? { labelSelector: only.labelSelector } : {};
    this.#paths = [apiVersion, ...(olderVersion === undefined ? [] : [olderVersion])].map(
      (version) => (version.includes("/") ? `/apis/${version}/${place}` : `/api/v1/${place}`),
    );
  }

  get #path(): string {
    return this.#paths[this.#serving] ?? "";
  }

  start(): void {
    this.#running = this.#run();
  }

  get error(): SourceError | undefined {
    return this.#error;
  }

  async close(): Promise<void> {
    this.#closing.abort();
    await this.#running;
  }

  async #run(): Promise<void> {
    const { signal } = this.#closing;
    while (!signal.aborted) {
      try {
        if (this.#version === "") await this.#list();
        await this.#watch();
      } catch (error) {
        if (this.#isNotInstalled(error)) await this.#awaitInstallation();
        else this.#fail(error);
      }
      await this.#pause();
    }
  }

  #isNotInstalled(error: unknown): boolean {
    const isAbsent = error instanceof KubeError && error.reason === "not_found";
    return isAbsent && this.#options.kind.optional === true;
  }

  /** Its other version is tried at once; without any it is as if there were no objects, until it is asked again. */
  async #awaitInstallation(): Promise<void> {
    this.#version = "";
    this.#recover();
    this.#serving = (this.#serving + 1) % this.#paths.length;
    if (this.#serving > 0) return;
    this.#compare([]);
    this.#options.onListed();
    const { signal } = this.#closing;
    await sleep(this.#options.timing.absentMs, undefined, { signal }).catch(() => undefined);
  }

  #fail(error: unknown): void {
    if (this.#closing.signal.aborted) return;
    const { kind, log, onRestart } = this.#options;
    this.#version = "";
    this.#failures++;
    onRestart?.(kind.kind);
    const message = Error.isError(error) ? error.message : String(error);
    this.#error = { code: "api_unreachable", place: kind.plural, message };
    log.warn({ code: "api_unreachable", kind: kind.kind, err: error }, "watch interrupted");
    // Not one of ours, and not permitted: the mesh runs without it.
    const isForbidden = error instanceof KubeError && error.reason === "forbidden";
    if (isForbidden && kind.optional) this.#options.onListed();
  }

  async #pause(): Promise<void> {
    if (this.#failures === 0) return;
    const { backoff } = this.#options.timing;
    const delayMs = backoffDelayMs(backoff, this.#failures - 1, Math.random());
    await sleep(delayMs, undefined, { signal: this.#closing.signal }).catch(() => undefined);
  }

  async #list(): Promise<void> {
    const found: KubeObject[] = [];
    let version = "";
    let next: string | undefined;
    do {
      const page = asRecord(await this.#page(next));
      const metadata = asRecord(page?.["metadata"]);
      version = asText(metadata?.["resourceVersion"]) ?? "";
      if (version === "") throw new Error(`list of ${this.#path} has no resourceVersion`);
      next = asText(metadata?.["continue"]);
      for (const item of asList(page?.["items"]) ?? []) found.push(...this.#read(item));
    } while (next !== undefined);
    this.#compare(found);
    this.#version = version;
    this.#error = undefined;
    this.#options.onListed();
  }

  async #page(next: string | undefined): Promise<unknown> {
    const { api, timing } = this.#options;
    return api.call({
      method: "GET",
      path: this.#path,
      query: {
        ...this.#selection,
        limit: String(timing.pageSize),
        ...(next === undefined ? {} : { continue: next }),
      },
      timeoutMs: timing.listTimeoutMs,
      signal: this.#closing.signal,
    });
  }

  #compare(found: readonly KubeObject[]): void {
    const there = new Set(found.map(keyOf));
    for (const [key, known] of this.#known) if (!there.has(key)) this.#remove(key, known);
    for (const object of found) this.#put(object);
  }

  async #watch(): Promise<void> {
    const { watches, timing } = this.#options;
    const seconds = Math.ceil(timing.watchSeconds * (1 + Math.random() / 2));
    const startedMs = performance.now();
    const events = watches.events({
      path: this.#path,
      query: {
        ...this.#selection,
        resourceVersion: this.#version,
        allowWatchBookmarks: "true",
        timeoutSeconds: String(seconds),
      },
      idleMs: seconds * 1000 + timing.idleGraceMs,
      signal: this.#closing.signal,
    });
    for await (const { type, object } of events) {
      this.#take(type, object);
      this.#recover();
    }
    // A server that ends every watch at once must not be asked without a pause.
    if (performance.now() - startedMs >= timing.backoff.minMs) this.#recover();
    else this.#failures++;
  }

  #recover(): void {
    this.#failures = 0;
    this.#error = undefined;
  }

  #take(type: string, raw: unknown): void {
    if (type === "ERROR") {
      const status = asRecord(raw);
      throw new Error(`watch of ${this.#path} told ${String(status?.["message"])}`);
    }
    const version = asText(asRecord(asRecord(raw)?.["metadata"])?.["resourceVersion"]);
    if (type !== "BOOKMARK") {
      for (const object of this.#read(raw)) {
        const known = this.#known.get(keyOf(object));
        if (type !== "DELETED") this.#put(object);
        else if (known) this.#remove(keyOf(object), known);
      }
    }
    if (version !== undefined) this.#version = version;
  }

  /** Items of a list have no kind of their own. */
  #read(raw: unknown): readonly KubeObject[] {
    const { apiVersion, kind } = this.#options.kind;
    const parsed = parseKubeObject({ ...asRecord(raw), apiVersion, kind });
    if (parsed.kind === "accepted") return [parsed.value];
    this.#options.log.warn({ kind, reasons: parsed.reasons }, "object ignored");
    return [];
  }

  #put(object: KubeObject): void {
    const { namespace, name, uid, resourceVersion } = object.metadata;
    const key = keyOf(object);
    const known = this.#known.get(key);
    if (known?.uid === uid && known.resourceVersion === resourceVersion) return;
    if (known && known.uid !== uid) this.#remove(key, known);
    this.#known.set(key, { namespace, name, uid, resourceVersion });
    this.#options.onChange("upsert", object);
  }

  #remove(key: string, known: Known): void {
    this.#known.delete(key);
    this.#options.onChange("delete", makeTombstone(this.#options.kind, known));
  }
}

function keyOf({ metadata }: KubeObject): string {
  return `${metadata.namespace}/${metadata.name}`;
}
