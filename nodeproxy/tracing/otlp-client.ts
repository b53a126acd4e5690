/**
 * Posts batches to a collector: OTLP over HTTP/1.1 with protobuf, in plaintext, from the node's own network. Keeps its
 * connection, and asks anew where the collector is once that fails. Decides about no second try.
 *
 * https://opentelemetry.io/docs/specs/otlp/#otlphttp
 */
import type * as http from "node:http";
import { BinaryReader } from "@bufbuild/protobuf/wire";
import type { CollectorAddress } from "./choose-collector.ts";
import type { Posted } from "./span-exporter.ts";

export interface OtlpClientOptions {
  /** A text says why there is none. */
  readonly find: () => CollectorAddress | string;
  readonly userAgent: string;
}

const PATH = "/v1/traces";
const TYPE = "application/x-protobuf";
const TIMEOUT_MS = 10_000;
const MAX_ANSWER_OCTETS = 64 << 10;
/** "The client SHOULD retry": anything else is never sent again. */
const RETRYABLE: ReadonlySet<number> = new Set([429, 502, 503, 504]);
/** Of what a collector asks for. */
const MAX_WAIT_MS = 300_000;

interface Answer {
  readonly status: number;
  readonly retryAfter: string;
  readonly body: Buffer;
}

export class OtlpClient {
  readonly #options: OtlpClientOptions;
  readonly #agent: http.Agent;
  #address: CollectorAddress | undefined;
  #asking: AbortController | undefined;

  constructor(options: OtlpClientOptions) {
    this.#options = options;
    this.#agent = new (nodeHttp().Agent)({ keepAlive: true, maxSockets: 1 });
  }

  /** Never rejects. */
  async post(message: Uint8Array): Promise<Posted> {
    const found = this.#address ?? this.#options.find();
    if (typeof found === "string") return { kind: "later", reason: found, afterMs: 0 };
    this.#address = found;
    try {
      const answer = await this.#ask(found, message);
      const posted = postedBy(answer);
      if (posted.kind === "later") this.#address = undefined;
      return posted;
    } catch (error) {
      this.#address = undefined;
      const reason = `${found.host}:${found.port}: ${messageOf(error)}`;
      return { kind: "later", reason, afterMs: 0 };
    }
  }

  /** It may be another one. */
  forget(): void {
    this.#address = undefined;
  }

  close(): void {
    this.#asking?.abort();
    this.#agent.destroy();
  }

  async #ask({ host, port }: CollectorAddress, message: Uint8Array): Promise<Answer> {
    const asking = new AbortController();
    this.#asking = asking;
    const timer = setTimeout(() => asking.abort(new Error("no answer")), TIMEOUT_MS).unref();
    const { promise, resolve, reject } = Promise.withResolvers<http.IncomingMessage>();
    const headers = {
      "content-type": TYPE,
      "content-length": message.length,
      "user-agent": this.#options.userAgent,
    };
    const options = { host, port, path: PATH, method: "POST", headers, agent: this.#agent };
    const request = nodeHttp().request({ ...options, signal: asking.signal }, resolve);
    request.on("error", reject).end(message);
    try {
      const response = await promise;
      const { statusCode: status = 0, headers: said } = response;
      return { status, retryAfter: said["retry-after"] ?? "", body: await bodyOf(response) };
    } finally {
      clearTimeout(timer);
    }
  }
}

/** Where nothing traces nobody loads it. */
function nodeHttp(): typeof http {
  return process.getBuiltinModule("node:http");
}

async function bodyOf(response: http.IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let octets = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    octets += chunk.length;
    if (octets > MAX_ANSWER_OCTETS) throw new Error("an answer of more than 64 KiB");
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

function postedBy({ status, retryAfter, body }: Answer): Posted {
  if (status >= 200 && status < 300) return { kind: "taken", rejected: rejectedIn(body) };
  const reason = `the collector answers ${status}`;
  if (!RETRYABLE.has(status)) return { kind: "refused", reason };
  return { kind: "later", reason, afterMs: waitMs(retryAfter, Date.now()) };
}

/** RFC 9110 10.2.3: seconds, or a date. `nowMs`: since the epoch. 0: nothing that can be read. */
function waitMs(text: string, nowMs: number): number {
  const asked = /^\d+$/.test(text) ? Number(text) * 1_000 : Date.parse(text) - nowMs;
  return asked > 0 ? Math.min(asked, MAX_WAIT_MS) : 0;
}

/** `ExportTraceServiceResponse.partial_success.rejected_spans`; 0 where it says nothing, or nothing that can be read. */
function rejectedIn(body: Buffer): number {
  try {
    const partial = fieldOf(new BinaryReader(body), 1, (reader) => reader.bytes());
    const spans = partial && fieldOf(new BinaryReader(partial), 1, (reader) => reader.int64());
    return Math.max(0, Number(spans ?? 0));
  } catch {
    return 0;
  }
}

function fieldOf<Value>(
  reader: BinaryReader,
  wanted: number,
  read: (reader: BinaryReader) => Value,
): Value | undefined {
  let found: Value | undefined;
  while (reader.pos < reader.len) {
    const [field, type] = reader.tag();
    if (field === wanted) found = read(reader);
    else reader.skip(type, field);
  }
  return found;
}

function messageOf(error: unknown): string {
  return Error.isError(error) ? error.message : String(error);
}
