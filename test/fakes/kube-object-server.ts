/**
 * A Kubernetes API server as far as single objects go: GET, POST, PUT with resourceVersion as
 * precondition, DELETE, lists of chosen collections, the four patches as far as our writers use them, 404 and 409. Keeps all writes.
 * Watches stay open and silent.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";
import { KubeConfig } from "@kubernetes/client-node";
import { KubeClient } from "../../core/kube/kube-api.ts";

type Json = Readonly<Record<string, unknown>>;

export interface SeenWrite {
  readonly method: string;
  readonly path: string;
  readonly contentType: string;
  readonly query: URLSearchParams;
  readonly body: Json;
  /** Who wrote, as the header says. */
  readonly authorization: string;
}

export class KubeObjectServer {
  readonly writes: SeenWrite[] = [];
  /** Calls that look like this get that answer instead of their own. */
  answer: ((method: string, path: string, body: Json) => Json | undefined) | undefined;
  /** Path → what is answered there as it is, and no object. */
  readonly pages = new Map<string, string>();
  /** Called with every write that succeeded, before it is answered. */
  onWrite: (write: SeenWrite) => void = () => undefined;
  /** Answers everything with 503. */
  isFailing = false;
  /** Paths of collections that can be listed, by `labelSelector=a=b` too; others are not found. */
  readonly collections = new Set<string>();
  readonly #objects = new Map<string, Json>();
  readonly #clients = new Set<KubeClient>();
  readonly #waiting = new Set<{
    readonly isWanted: (write: SeenWrite) => boolean;
    readonly resolve: (write: SeenWrite) => void;
  }>();
  #version = 0;
  #server: Server | undefined;

  async start(): Promise<void> {
    this.#server = createServer((request, response) => void this.#carry(request, response));
    await new Promise<void>((resolve) => {
      this.#server?.listen(0, "127.0.0.1", resolve);
    });
  }

  url(): string {
    if (!this.#server) throw new Error("not started");
    const { port } = this.#server.address() as AddressInfo;
    return `http://127.0.0.1:${port}`;
  }

  client(): KubeClient {
    const config = new KubeConfig();
    config.loadFromOptions({
      clusters: [{ name: "c", server: this.url(), skipTLSVerify: true }],
      users: [{ name: "u", token: "secret" }],
      contexts: [{ name: "x", cluster: "c", user: "u" }],
      currentContext: "x",
    });
    const client = new KubeClient(config);
    this.#clients.add(client);
    return client;
  }

  async stop(): Promise<void> {
    for (const client of this.#clients) client.close();
    await new Promise<void>((resolve) => {
      this.#server?.close(() => resolve());
      this.#server?.closeAllConnections();
    });
  }

  get(path: string): Json | undefined {
    return this.#objects.get(path);
  }

  put(path: string, object: Json): void {
    this.#version += 1;
    const metadata = { ...recordOf(object["metadata"]), resourceVersion: String(this.#version) };
    this.#objects.set(path, { ...object, metadata });
  }

  /** The next write that `isWanted`. */
  async nextWrite(isWanted: (write: SeenWrite) => boolean): Promise<SeenWrite> {
    return new Promise((resolve) => {
      this.#waiting.add({ isWanted, resolve });
    });
  }

  async #carry(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? "/", "http://api");
    const sent = await text(request);
    const body = recordOf(sent === "" ? {} : JSON.parse(sent));
    const method = request.method ?? "";
    const path = url.pathname;
    const contentType = request.headers["content-type"] ?? "";
    const authorization = request.headers.authorization ?? "";
    if (!this.isFailing && this.#isTold(url, response)) return;
    const write = { method, path, contentType, query: url.searchParams, body, authorization };
    const [status, answer] = this.#answerTo(write);
    const isWritten = method !== "GET" && status < 300;
    if (isWritten) this.onWrite(write);
    response.writeHead(status, { "content-type": "application/json" });
    response.end(JSON.stringify(answer));
    if (!isWritten) return;
    this.writes.push(write);
    for (const waiter of [...this.#waiting].filter(({ isWanted }) => isWanted(write))) {
      this.#waiting.delete(waiter);
      waiter.resolve(write);
    }
  }

  /** What is no object: a watch, a page. */
  #isTold({ pathname, searchParams }: URL, response: ServerResponse): boolean {
    const page = this.pages.get(pathname);
    if (searchParams.get("watch") === "true") {
      response.writeHead(200, { "content-type": "application/json" }).flushHeaders();
    } else if (page === undefined) return false;
    else response.writeHead(200, { "content-type": "text/plain" }).end(page);
    return true;
  }

  #answerTo(write: SeenWrite): readonly [number, Json] {
    const { method, path, body } = write;
    if (this.isFailing) return failure(503, "ServiceUnavailable");
    if (method === "GET" && this.collections.has(path)) return this.#list(write);
    const own = this.answer?.(method, path, body);
    if (own) return [typeof own["code"] === "number" ? own["code"] : 200, own];
    if (method === "GET") return this.#found(path);
    if (method === "POST") return this.#create(path, body);
    if (method === "PUT") return this.#replace(path, body);
    if (method === "PATCH") return this.#patch(write);
    if (method === "DELETE") return this.#delete(path);
    return failure(405, "MethodNotAllowed");
  }

  #list({ path, query }: SeenWrite): readonly [number, Json] {
    const [key = "", value] = (query.get("labelSelector") ?? "").split("=");
    const items = [...this.#objects]
      .filter(([name]) => name.startsWith(`${path}/`))
      .map(([, object]) => object)
      .filter(({ metadata }) => {
        return key === "" || recordOf(recordOf(metadata)["labels"])[key] === value;
      });
    return [200, { kind: "List", metadata: { resourceVersion: String(this.#version) }, items }];
  }

  #create(collection: string, body: Json): readonly [number, Json] {
    const { name, generateName } = recordOf(body["metadata"]);
    const made = typeof generateName === "string" ? `${generateName}${this.#version}` : "";
    const path = `${collection}/${typeof name === "string" ? name : made}`;
    if (this.#objects.has(path)) return failure(409, "AlreadyExists");
    this.put(path, body);
    return this.#found(path);
  }

  #replace(path: string, body: Json): readonly [number, Json] {
    const before = this.#objects.get(path);
    if (!before) return failure(404, "NotFound");
    const { resourceVersion } = recordOf(body["metadata"]);
    if (resourceVersion !== recordOf(before["metadata"])["resourceVersion"]) {
      return failure(409, "Conflict");
    }
    this.put(path, body);
    return this.#found(path);
  }

  #patch({ path, contentType, body }: SeenWrite): readonly [number, Json] {
    const isStatus = path.endsWith("/status");
    const target = isStatus ? path.slice(0, -"/status".length) : path;
    const before = this.#objects.get(target);
    const mayCreate = contentType.includes("apply") && !isStatus;
    if (!before && !mayCreate) return failure(404, "NotFound");
    const isOther = ["uid", "resourceVersion"].some((name) => {
      const [wanted, is] = [body, before].map((of) => recordOf(of?.["metadata"])[name]);
      return wanted !== undefined && is !== undefined && wanted !== is;
    });
    if (isOther) return failure(409, "Conflict");
    const merge = contentType === "application/merge-patch+json" ? replaceList : mergedLists;
    this.put(target, merged(before ?? {}, body, merge));
    return this.#found(target);
  }

  #delete(path: string): readonly [number, Json] {
    const object = this.#objects.get(path);
    this.#objects.delete(path);
    return object ? [200, object] : failure(404, "NotFound");
  }

  #found(path: string): readonly [number, Json] {
    const object = this.#objects.get(path);
    return object ? [200, object] : failure(404, "NotFound");
  }
}

type MergeLists = (before: readonly unknown[], patch: readonly unknown[]) => readonly unknown[];

function merged(before: Json, patch: Json, lists: MergeLists): Json {
  const result: Record<string, unknown> = { ...before };
  for (const [name, value] of Object.entries(patch)) {
    const old = result[name];
    if (Array.isArray(value) && Array.isArray(old)) result[name] = lists(old, value);
    else if (isRecord(value)) result[name] = merged(recordOf(old), value, lists);
    else result[name] = value;
  }
  return result;
}

/** Objects with a `type` or `name` merge by it, everything else is added. */
function mergedLists(before: readonly unknown[], patch: readonly unknown[]): readonly unknown[] {
  const byKey = new Map(before.map((item) => [keyOf(item), recordOf(item)]));
  for (const item of patch) {
    const old = byKey.get(keyOf(item)) ?? {};
    byKey.set(keyOf(item), merged(old, recordOf(item), mergedLists));
  }
  return [...byKey.values()];
}

/** RFC 7386: a merge patch knows no keys. */
function replaceList(_before: readonly unknown[], patch: readonly unknown[]): readonly unknown[] {
  return patch;
}

function keyOf(item: unknown): unknown {
  const record = recordOf(item);
  return record["type"] ?? record["name"] ?? JSON.stringify(item);
}

function isRecord(value: unknown): value is Json {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function recordOf(value: unknown): Json {
  return isRecord(value) ? value : {};
}

function failure(code: number, reason: string): readonly [number, Json] {
  return [code, { kind: "Status", code, reason, message: reason }];
}
