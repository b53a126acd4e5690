/**
 * A Kubernetes API server as far as lists and watches go: resource versions, pages from one snapshot,
 * chunked watches that replay from a version, 410 Gone after compaction, and the ways it fails.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { KubeConfig } from "@kubernetes/client-node";

export interface StoredObject {
  readonly metadata: {
    readonly namespace?: string;
    readonly name: string;
    readonly uid?: string;
    readonly [field: string]: unknown;
  };
  readonly [field: string]: unknown;
}

interface HistoryEntry {
  readonly path: string;
  readonly version: number;
  readonly type: "ADDED" | "MODIFIED" | "DELETED";
  readonly object: StoredObject;
}

interface OpenWatch {
  readonly path: string;
  readonly response: ServerResponse;
}

export interface SeenRequest {
  readonly path: string;
  readonly query: URLSearchParams;
  readonly authorization: string;
}

export class KubeApiServer {
  /** Every request, oldest first. */
  readonly requests: SeenRequest[] = [];
  /** Answers these paths with that status instead; the path may carry `?watch` to fail only watches. */
  readonly failing = new Map<string, number>();
  /** Watches of these paths stay silent: no event, no end. */
  readonly hanging = new Set<string>();
  /** Called with every watch that has been opened. */
  onWatch: (path: string) => void = () => undefined;
  /** Called after every page of a list. */
  onPage: (path: string) => void = () => undefined;
  #server: Server | undefined;
  #port = 0;
  #version = 100;
  #compactedAt = 0;
  readonly #objects = new Map<string, Map<string, StoredObject>>();
  #history: HistoryEntry[] = [];
  readonly #watches = new Set<OpenWatch>();
  readonly #pages = new Map<string, { items: readonly StoredObject[]; version: number }>();

  async start(): Promise<void> {
    this.#server = createServer((request, response) => this.#answer(request, response));
    await new Promise<void>((resolve) => {
      this.#server?.listen(this.#port, "127.0.0.1", resolve);
    });
    this.#port = (this.#server.address() as AddressInfo).port;
  }

  /** Gone at once, connections reset; `start()` brings it back at the same port. */
  async stop(): Promise<void> {
    const server = this.#server;
    this.#server = undefined;
    const closed = new Promise<void>((resolve) => server?.close(() => resolve()));
    server?.closeAllConnections();
    this.#watches.clear();
    await closed;
  }

  async openConnections(): Promise<number> {
    return new Promise((resolve, reject) => {
      this.#server?.getConnections((error, count) => (error ? reject(error) : resolve(count)));
    });
  }

  config(): KubeConfig {
    const config = new KubeConfig();
    config.loadFromOptions({
      clusters: [{ name: "c", server: `http://127.0.0.1:${this.#port}`, skipTLSVerify: true }],
      users: [{ name: "u", token: "secret" }],
      contexts: [{ name: "x", cluster: "c", user: "u" }],
      currentContext: "x",
    });
    return config;
  }

  put(path: string, object: StoredObject): void {
    const objects = this.#objects.get(path) ?? new Map<string, StoredObject>();
    this.#objects.set(path, objects);
    const type = objects.has(keyOf(object)) ? "MODIFIED" : "ADDED";
    const stored = this.#stamp(object);
    objects.set(keyOf(object), stored);
    this.#record({ path, version: this.#version, type, object: stored });
  }

  remove(path: string, key: string): void {
    const object = this.#objects.get(path)?.get(key);
    if (!object) throw new Error(`no ${key} in ${path}`);
    this.#objects.get(path)?.delete(key);
    this.#record({
      path,
      version: this.#version + 1,
      type: "DELETED",
      object: this.#stamp(object),
    });
  }

  bookmark(path: string): void {
    const metadata = { resourceVersion: String(this.#version) };
    for (const watch of this.#watchesOf(path))
      send(watch, { type: "BOOKMARK", object: { metadata } });
  }

  /** etcd's compaction: versions until now can be neither watched from nor paged on with. */
  compact(): void {
    this.#compactedAt = this.#version;
    this.#history = [];
    this.#pages.clear();
  }

  /** A backup restored: the same objects, but versions run again from far below. */
  restoreOlderVersions(): void {
    this.#version = 10;
    this.#history = [];
    this.#compactedAt = 0;
  }

  /** Every watch ends as the server itself ends them. */
  endWatches(): void {
    for (const { response } of this.#watches) response.end();
    this.#watches.clear();
  }

  /** Every watch breaks off in the middle of an event. */
  cutWatches(): void {
    for (const { response } of this.#watches) {
      response.write('{"type":"ADDED","obj', () => response.destroy());
    }
    this.#watches.clear();
  }

  #stamp(object: StoredObject): StoredObject {
    this.#version++;
    return { ...object, metadata: { ...object.metadata, resourceVersion: String(this.#version) } };
  }

  #record(entry: HistoryEntry): void {
    this.#history.push(entry);
    for (const watch of this.#watchesOf(entry.path)) send(watch, entry);
  }

  #watchesOf(path: string): readonly OpenWatch[] {
    return [...this.#watches].filter((watch) => watch.path === path && !this.hanging.has(path));
  }

  #answer(request: IncomingMessage, response: ServerResponse): void {
    const url = new URL(request.url ?? "/", "http://api");
    const isWatch = url.searchParams.get("watch") === "true";
    const authorization = request.headers.authorization ?? "";
    this.requests.push({ path: url.pathname, query: url.searchParams, authorization });
    const failing = this.failing.get(isWatch ? `${url.pathname}?watch` : url.pathname);
    if (failing !== undefined) status(response, failing, "told to fail");
    else if (isWatch) this.#watch(url, response);
    else this.#list(url, response);
  }

  #list(url: URL, response: ServerResponse): void {
    const limit = Number(url.searchParams.get("limit") ?? "0");
    const token = url.searchParams.get("continue");
    const all = [...(this.#objects.get(url.pathname)?.values() ?? [])];
    const page = token === null ? { items: all, version: this.#version } : this.#pages.get(token);
    if (!page) {
      status(response, 410, "The provided continue parameter is too old");
      return;
    }
    const more = limit > 0 && page.items.length > limit;
    const next = more ? `${url.pathname}@${page.items.length}@${page.version}` : undefined;
    if (next) this.#pages.set(next, { ...page, items: page.items.slice(limit) });
    const metadata = {
      resourceVersion: String(page.version),
      ...(next === undefined ? {} : { continue: next }),
    };
    const items = more ? page.items.slice(0, limit) : page.items;
    response.setHeader("content-type", "application/json");
    response.end(JSON.stringify({ kind: "AnyList", metadata, items }));
    this.onPage(url.pathname);
  }

  #watch(url: URL, response: ServerResponse): void {
    const from = Number(url.searchParams.get("resourceVersion"));
    const watch = { path: url.pathname, response };
    response.writeHead(200, { "content-type": "application/json" });
    response.flushHeaders();
    if (from < this.#compactedAt || from > this.#version) {
      const code = from > this.#version ? 504 : 410;
      const message = code === 410 ? "too old resource version" : "Too large resource version";
      send(watch, { type: "ERROR", object: { kind: "Status", code, message } });
      response.end();
      return;
    }
    if (!this.hanging.has(watch.path)) {
      for (const entry of this.#history) {
        if (entry.path === watch.path && entry.version > from) send(watch, entry);
      }
    }
    this.#watches.add(watch);
    const seconds = Number(url.searchParams.get("timeoutSeconds") ?? "3600");
    const end = this.hanging.has(watch.path)
      ? undefined
      : setTimeout(() => response.end(), seconds * 1000);
    response.on("close", () => {
      clearTimeout(end);
      this.#watches.delete(watch);
    });
    this.onWatch(watch.path);
  }
}

function keyOf({ metadata }: StoredObject): string {
  return `${metadata.namespace ?? ""}/${metadata.name}`;
}

function send({ response }: OpenWatch, { type, object }: { type: string; object: unknown }): void {
  response.write(`${JSON.stringify({ type, object })}\n`);
}

function status(response: ServerResponse, code: number, message: string): void {
  response.writeHead(code, { "content-type": "application/json" });
  response.end(JSON.stringify({ kind: "Status", code, message }));
}
