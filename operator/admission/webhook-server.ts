/**
 * The HTTPS server that the API server asks: one AdmissionReview in, one out.
 *
 * A request that cannot be read is answered with 400, a defect of ours with 500: under
 * `failurePolicy: Fail` both refuse the object, so nothing gets in unseen.
 */
import type { IncomingMessage, ServerResponse } from "node:http";
import { createServer, type Server } from "node:https";
import type { AddressInfo } from "node:net";
import { Counter, type Registry } from "prom-client";
import type { ListenAddress } from "../../core/process/listen-address.ts";
import type { Log } from "../../core/process/log.ts";
import {
  type AdmissionRequest,
  type AdmissionVerdict,
  formatAdmissionReview,
  parseAdmissionReview,
} from "./admission-review.ts";

export type AdmissionHandler = (request: AdmissionRequest) => AdmissionVerdict;

/** PEM. */
export interface ServingCertificate {
  readonly chain: string;
  readonly key: string;
}

export interface WebhookServerOptions {
  /** By exact path. */
  readonly handlers: Readonly<Record<string, AdmissionHandler>>;
  readonly certificate: ServingCertificate;
  readonly registry: Registry;
  readonly log: Log;
}

// The API server sends objects of at most 3 MiB; an update carries the old one as well.
const LIMIT_BYTES = 8 * 1024 * 1024;
const CLOSE_MS = 2000;

export class WebhookServer {
  readonly #options: WebhookServerOptions;
  readonly #reviews: Counter<"path" | "verdict">;
  readonly #server: Server;

  constructor(options: WebhookServerOptions) {
    this.#options = options;
    this.#reviews = new Counter({
      name: "weft_admission_reviews_total",
      help: "Admission reviews answered, by path and verdict (allowed, patched, denied, malformed, failed)",
      labelNames: ["path", "verdict"],
      registers: [options.registry],
    });
    this.#server = createServer(tlsOptions(options.certificate), (request, response) => {
      void this.#answer(request, response);
    });
    this.#server.requestTimeout = 10_000;
  }

  /** Connections made from now on get the new certificate; open ones go on. */
  setCertificate(certificate: ServingCertificate): void {
    this.#server.setSecureContext(tlsOptions(certificate));
  }

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

  /** Answers what has been asked, then closes; a caller that does not finish asking is not waited for. */
  async close(): Promise<void> {
    await new Promise<void>((resolve) => {
      const patience = setTimeout(() => this.#server.closeAllConnections(), CLOSE_MS);
      this.#server.close(() => {
        clearTimeout(patience);
        resolve();
      });
      this.#server.closeIdleConnections();
    });
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const path = request.url?.replace(/\?.*$/, "") ?? "";
    const { handlers, log } = this.#options;
    const handler = Object.hasOwn(handlers, path) ? handlers[path] : undefined;
    if (!handler) {
      response.writeHead(404).end();
      return;
    }
    try {
      await this.#review(request, response, { path, handler });
    } catch (error) {
      this.#reviews.inc({ path, verdict: "failed" });
      log.error({ err: error, path }, "admission review failed");
      if (!response.headersSent) response.writeHead(500);
      response.end();
    }
  }

  async #review(
    request: IncomingMessage,
    response: ServerResponse,
    { path, handler }: { readonly path: string; readonly handler: AdmissionHandler },
  ): Promise<void> {
    const text = await readBody(request);
    const review = text === undefined ? undefined : parseAdmissionReview(text);
    if (!review) {
      this.#reviews.inc({ path, verdict: "malformed" });
      response.writeHead(400, { connection: "close" }).end("no AdmissionReview of v1\n");
      return;
    }
    const verdict = handler(review);
    this.#reviews.inc({ path, verdict: verdictLabel(verdict) });
    if (verdict.kind === "denied") {
      const { operation, namespace } = review;
      this.#options.log.info({ path, operation, namespace, reasons: verdict.reasons }, "denied");
    }
    response.writeHead(200, { "content-type": "application/json" });
    response.end(formatAdmissionReview(review.uid, verdict));
  }
}

function verdictLabel(verdict: AdmissionVerdict): string {
  if (verdict.kind === "denied") return "denied";
  return verdict.patch.length > 0 ? "patched" : "allowed";
}

/** `undefined` where it is more than the API server would send. */
async function readBody(request: IncomingMessage): Promise<string | undefined> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > LIMIT_BYTES) return undefined;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString("utf8");
}

function tlsOptions({ chain, key }: ServingCertificate) {
  return { cert: chain, key, minVersion: "TLSv1.2" } as const;
}
