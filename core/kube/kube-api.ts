/**
 * One call to the Kubernetes API: JSON out, JSON in, or a `KubeError`.
 *
 * Only address, certificates and token come from the client library: its generated clients open a new
 * TLS connection for every call (an undici Agent each time), and a Lease is renewed every 2 s.
 */
import {
  Agent as HttpAgent,
  request as httpRequest,
  type IncomingMessage,
  type OutgoingHttpHeaders,
} from "node:http";
import { Agent as HttpsAgent, request as httpsRequest, type RequestOptions } from "node:https";
import { buffer } from "node:stream/consumers";
import type { KubeConfig } from "@kubernetes/client-node";
import { KubeError, kubeErrorReason } from "./kube-error.ts";

export type PatchKind = "apply" | "merge" | "strategic" | "json";

export interface KubeCall {
  readonly method: "GET" | "POST" | "PUT" | "PATCH" | "DELETE";
  /** From the root of the API, as `/api/v1/…`; every part escaped. */
  readonly path: string;
  readonly query?: Readonly<Record<string, string>>;
  readonly body?: unknown;
  /** Needed with PATCH. */
  readonly patch?: PatchKind;
  /** How the answer is read; `json` by default. */
  readonly answer?: "json" | "text";
  /** Default 10 s. */
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
}

const PATCH_TYPES: Readonly<Record<PatchKind, string>> = {
  apply: "application/apply-patch+yaml",
  merge: "application/merge-patch+json",
  strategic: "application/strategic-merge-patch+json",
  json: "application/json-patch+json",
};

/** The narrow view that everything in this folder is written against. */
export interface KubeApi {
  call(call: KubeCall): Promise<unknown>;
}

export class KubeClient implements KubeApi {
  readonly #config: KubeConfig;
  readonly #server: URL;
  // The certificates are part of an agent's key for a connection, so renewed ones get a new connection.
  readonly #agents = {
    "http:": new HttpAgent({ keepAlive: true }),
    "https:": new HttpsAgent({ keepAlive: true }),
  };

  constructor(config: KubeConfig) {
    const server = URL.parse(config.getCurrentCluster()?.server ?? "");
    if (!server) throw new Error("kubeconfig names no cluster with a valid server address");
    this.#config = config;
    this.#server = server;
  }

  async call(call: KubeCall): Promise<unknown> {
    const response = await this.#send(call);
    const text = (await buffer(response)).toString("utf8");
    const status = response.statusCode ?? 0;
    const isGood = status >= 200 && status < 300;
    if (isGood && call.answer === "text") return text;
    if (isGood) return text === "" ? undefined : JSON.parse(text);
    const told = statusOf(text);
    const message = `${call.method} ${call.path} answered ${status}: ${told.message}`;
    const reason = kubeErrorReason(status, told.reason);
    throw reason ? new KubeError(reason, message) : new Error(message);
  }

  close(): void {
    this.#agents["http:"].destroy();
    this.#agents["https:"].destroy();
  }

  async #send(call: KubeCall): Promise<IncomingMessage> {
    const url = new URL(this.#server);
    url.pathname = url.pathname.replace(/\/$/, "") + call.path;
    url.search = new URLSearchParams(call.query).toString();
    const options = await this.#options(call);
    const body = call.body === undefined ? undefined : JSON.stringify(call.body);
    return new Promise((resolve, reject) => {
      const send = url.protocol === "http:" ? httpRequest : httpsRequest;
      const request = send(url, options, resolve);
      request.on("error", (error) => {
        const message = `${call.method} ${call.path} failed: ${error.message}`;
        reject(new KubeError("unavailable", message, { cause: error }));
      });
      request.end(body);
    });
  }

  async #options({
    method,
    patch,
    body,
    answer,
    timeoutMs,
    signal,
  }: KubeCall): Promise<RequestOptions> {
    const headers: OutgoingHttpHeaders = {};
    const options: RequestOptions = { headers };
    await this.#config.applyToHTTPSOptions(options);
    const contentType = patch ? PATCH_TYPES[patch] : "application/json";
    const timeout = AbortSignal.timeout(timeoutMs ?? 10_000);
    return {
      ...options,
      agent: this.#server.protocol === "http:" ? this.#agents["http:"] : this.#agents["https:"],
      method,
      signal: signal ? AbortSignal.any([signal, timeout]) : timeout,
      headers: {
        ...headers,
        accept: answer === "text" ? "text/plain" : "application/json",
        ...(body === undefined ? {} : { "content-type": contentType }),
      },
    };
  }
}

/** Message and reason of the API's Status object; whatever else an answer holds is not shown. */
function statusOf(text: string): { readonly message: string; readonly reason: string } {
  try {
    const status: unknown = JSON.parse(text);
    const { message, reason } = status as { message?: unknown; reason?: unknown };
    return {
      message: typeof message === "string" ? message : "no message",
      reason: typeof reason === "string" ? reason : "",
    };
  } catch {
    return { message: "no Status object", reason: "" };
  }
}

/** `/api/v1/namespaces/a/pods/b`: the path of one object or collection, each part escaped. */
export function kubePath(...parts: readonly string[]): string {
  return `/${parts.map(encodeURIComponent).join("/")}`;
}
