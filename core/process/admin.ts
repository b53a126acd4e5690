/**
 * The small HTTP server for people, Prometheus and kubelet: /metrics, /livez, /readyz and what the
 * program adds. GET and HEAD only read; what changes something is an action, answered on POST alone.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import type { Registry } from "prom-client";
import type { ListenAddress } from "./listen-address.ts";
import type { Log } from "./log.ts";
import type { Readiness } from "./readiness.ts";

export interface AdminAnswer {
  readonly status: number;
  readonly contentType: string;
  readonly body: string;
}

export type AdminRoute = (url: URL) => AdminAnswer | Promise<AdminAnswer>;

export interface AdminOptions {
  /** By exact path. */
  readonly routes: Readonly<Record<string, AdminRoute>>;
  /** By exact path, on POST. */
  readonly actions?: Readonly<Record<string, AdminRoute>>;
  readonly log: Log;
}

export function metricsRoute(registry: Registry): AdminRoute {
  return async () => ({
    status: 200,
    contentType: registry.contentType,
    body: await registry.metrics(),
  });
}

/** `/livez` answers as long as the event loop turns; `/readyz` is 503 and names what is missing. */
export function healthRoutes(readiness: Readiness): Readonly<Record<string, AdminRoute>> {
  return {
    "/livez": () => textAnswer(200, "ok\n"),
    "/readyz": () =>
      readiness.isReady()
        ? textAnswer(200, "ok\n")
        : textAnswer(503, `${readiness.missing().join("\n")}\n`),
  };
}

function textAnswer(status: number, body: string): AdminAnswer {
  return { status, contentType: "text/plain; charset=utf-8", body };
}

export function jsonAnswer(value: unknown): AdminAnswer {
  return {
    status: 200,
    contentType: "application/json",
    body: `${JSON.stringify(value, null, 2)}\n`,
  };
}

export class AdminServer {
  readonly #server: Server;

  constructor({ routes, actions = {}, log }: AdminOptions) {
    const table = new Map([
      ...Object.entries(routes).map(([path, route]) => [`GET ${path}`, route] as const),
      ...Object.entries(actions).map(([path, route]) => [`POST ${path}`, route] as const),
    ]);
    this.#server = createServer((request, response) => {
      void answer({ table, log }, request, response);
    });
    // Scrapes are short. A client that sends no request in 10 s is not one.
    this.#server.requestTimeout = 10_000;
  }

  /** Resolves once it listens, with the port it got. Rejects where the address cannot be had. */
  async listen(address: ListenAddress): Promise<number> {
    await new Promise<void>((resolve, reject) => {
      this.#server.once("error", reject);
      this.#server.listen(address, () => {
        this.#server.off("error", reject);
        resolve();
      });
    });
    return (this.#server.address() as AddressInfo).port;
  }

  async close(): Promise<void> {
    const closed = new Promise<void>((resolve) => {
      this.#server.close(() => resolve());
    });
    this.#server.closeAllConnections();
    await closed;
  }
}

interface Answering {
  readonly table: ReadonlyMap<string, AdminRoute>;
  readonly log: Log;
}

async function answer(
  { table, log }: Answering,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  try {
    const found = await find(table, request);
    response.writeHead(found.status, { "content-type": found.contentType });
    response.end(request.method === "HEAD" ? undefined : found.body);
  } catch (error) {
    log.error({ err: error, url: request.url }, "admin request failed");
    response.writeHead(500, { "content-type": "text/plain; charset=utf-8" }).end("failed\n");
  }
}

async function find(
  table: ReadonlyMap<string, AdminRoute>,
  request: IncomingMessage,
): Promise<AdminAnswer> {
  const url = URL.parse(request.url ?? "/", "http://admin");
  if (!url) return textAnswer(400, "malformed address\n");
  // RFC 9110 9.3.2: HEAD is GET without the content.
  const method = request.method === "HEAD" ? "GET" : request.method;
  const route = table.get(`${method} ${url.pathname}`);
  if (route) return route(url);
  return textAnswer(404, `${[...table.keys()].toSorted().join("\n")}\n`);
}
