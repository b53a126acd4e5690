/**
 * One watch of the Kubernetes API as a stream of its events, ending where the server ends it.
 *
 * Throws when the connection fails, is refused, or says nothing for `idleMs`: a watch that hangs looks
 * like a quiet one, so bookmarks and the server's own `timeoutSeconds` must be shorter than that.
 */
import { Agent as HttpAgent, request as httpRequest, type IncomingMessage } from "node:http";
import { Agent as HttpsAgent, request as httpsRequest, type RequestOptions } from "node:https";
import type { KubeConfig } from "@kubernetes/client-node";
import { KubeError, kubeErrorReason } from "../../core/kube/kube-error.ts";

export interface WatchQuestion {
  readonly path: string;
  readonly query: Readonly<Record<string, string>>;
  readonly idleMs: number;
  readonly signal: AbortSignal;
}

export interface WatchEvent {
  readonly type: string;
  readonly object: unknown;
}

// etcd's objects are at most 1.5 MB; a line beyond this is no event.
const MAX_LINE_CHARS = 16 * 1024 * 1024;
/** A peer that vanished without a word is noticed by the kernel after this and ten probes a second apart. */
const SOCKET_KEEPALIVE_MS = 15_000;

export class WatchClient {
  readonly #config: KubeConfig;
  readonly #server: URL;
  readonly #agents = {
    http: new HttpAgent({ keepAlive: true }),
    https: new HttpsAgent({ keepAlive: true }),
  };

  constructor(config: KubeConfig) {
    const server = URL.parse(config.getCurrentCluster()?.server ?? "");
    if (!server) throw new Error("kubeconfig names no cluster with a valid server address");
    this.#config = config;
    this.#server = server;
  }

  async *events(question: WatchQuestion): AsyncGenerator<WatchEvent> {
    const response = await this.#open(question);
    const status = response.statusCode ?? 0;
    if (status !== 200) {
      response.destroy();
      const message = `watch of ${question.path} answered ${status}`;
      const reason = kubeErrorReason(status, "");
      throw reason ? new KubeError(reason, message) : new Error(message);
    }
    let rest = "";
    for await (const chunk of response.setEncoding("utf8")) {
      const lines = `${rest}${String(chunk)}`.split("\n");
      rest = lines.pop() ?? "";
      if (rest.length > MAX_LINE_CHARS) throw new Error(`line of ${question.path} is too long`);
      for (const line of lines) if (line.trim() !== "") yield parseEvent(line);
    }
    // The server ends a watch between two events; half a line means that the end was no end.
    if (rest.trim() !== "") {
      throw new KubeError("unavailable", `watch of ${question.path} broke off`);
    }
  }

  close(): void {
    this.#agents.http.destroy();
    this.#agents.https.destroy();
  }

  async #open({ path, query, idleMs, signal }: WatchQuestion): Promise<IncomingMessage> {
    const url = new URL(this.#server);
    url.pathname = url.pathname.replace(/\/$/, "") + path;
    url.search = new URLSearchParams({ ...query, watch: "true" }).toString();
    const isPlain = url.protocol === "http:";
    const options: RequestOptions = {};
    await this.#config.applyToHTTPSOptions(options);
    const agent = isPlain ? this.#agents.http : this.#agents.https;
    const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
    const send = isPlain ? httpRequest : httpsRequest;
    const request = send(url, { ...options, agent, signal, timeout: idleMs }, resolve);
    request.setSocketKeepAlive(true, SOCKET_KEEPALIVE_MS);
    request.on("timeout", () => {
      request.destroy(new Error(`nothing came for ${idleMs} ms`));
    });
    request.on("error", (cause) => {
      const message = `watch of ${path} failed: ${cause.message}`;
      reject(new KubeError("unavailable", message, { cause }));
    });
    request.end();
    return promise;
  }
}

function parseEvent(line: string): WatchEvent {
  const event = JSON.parse(line) as { readonly type?: unknown; readonly object?: unknown };
  return { type: String(event.type), object: event.object };
}
