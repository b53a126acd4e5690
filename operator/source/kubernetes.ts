/**
 * The source of a real cluster: every watched kind kept in step with the API server.
 *
 * Not built on the client library's informer: it stops for good when a list fails, leaks a watch
 * when stopped during one, neither pages nor bounds its lists, and swallows what a callback throws.
 */
import type { KubeConfig } from "@kubernetes/client-node";
import type { KubeApi } from "../../core/kube/kube-api.ts";
import type { Log } from "../../core/process/log.ts";
import { WATCHED_KINDS } from "../resources/watched-kinds.ts";
import { LIST_WATCH_TIMING, ListWatch, type ListWatchTiming } from "./list-watch.ts";
import type { Sink, Source, SourceError } from "./source.ts";
import { WatchClient } from "./watch-events.ts";

export interface KubernetesSourceOptions {
  readonly config: KubeConfig;
  /** For the lists. Not closed here. */
  readonly api: KubeApi;
  readonly log: Log;
  readonly timing?: Partial<ListWatchTiming>;
  /** A watch of that kind broke, and begins again with a list. */
  readonly onRestart?: (kind: string) => void;
}

export class KubernetesSource implements Source {
  readonly #options: KubernetesSourceOptions;
  readonly #watches: WatchClient;
  readonly #closed = Promise.withResolvers<never>();
  #kinds: readonly ListWatch[] = [];

  constructor(options: KubernetesSourceOptions) {
    this.#options = options;
    this.#watches = new WatchClient(options.config);
    // Handled by whoever waits in `start()`; without a waiter it is no failure.
    this.#closed.promise.catch(() => undefined);
  }

  async start(sink: Sink): Promise<void> {
    const { api, log, timing, onRestart } = this.#options;
    const lists = WATCHED_KINDS.map(() => Promise.withResolvers<void>());
    this.#kinds = WATCHED_KINDS.map(
      (kind, i) =>
        new ListWatch({
          kind,
          api,
          watches: this.#watches,
          timing: { ...LIST_WATCH_TIMING, ...timing },
          log,
          onChange: (change, object) => sink({ kind: change, object }),
          ...(onRestart && { onRestart }),
          onListed: () => lists[i]?.resolve(),
        }),
    );
    for (const kind of this.#kinds) kind.start();
    await Promise.race([Promise.all(lists.map(({ promise }) => promise)), this.#closed.promise]);
    sink({ kind: "synced" });
  }

  errors(): readonly SourceError[] {
    return this.#kinds.flatMap(({ error }) => (error ? [error] : []));
  }

  async close(): Promise<void> {
    this.#closed.reject(new Error("source closed before its first full state"));
    await Promise.all(this.#kinds.map((kind) => kind.close()));
    this.#watches.close();
  }
}
