/** An HTTP/2 engine between real sockets: a loopback port whose connections it serves, and the application's behind it. */
import { once } from "node:events";
import {
  type ClientHttp2Session,
  type ClientHttp2Stream,
  connect,
  createServer,
  type Http2Server,
  type OutgoingHttpHeaders,
  type ServerHttp2Stream,
} from "node:http2";
import type { AddressInfo, Server } from "node:net";
import type { Side } from "../../nodeproxy/flow/side.ts";
import type { HttpLimits } from "../../nodeproxy/http/http-limits.ts";
import type {
  ExchangeOutcome,
  Gate,
  GateAnswer,
  RequestHead,
} from "../../nodeproxy/http/message.ts";
import { type ServedHttp2, serveHttp2 } from "../../nodeproxy/http/serve-http2.ts";
import { libc } from "../../nodeproxy/sys/libc.ts";
import { createRawServer } from "../../nodeproxy/tcp/accept.ts";
import { dial } from "../../nodeproxy/tcp/dial.ts";
import type { RawSocket } from "../../nodeproxy/tcp/raw-socket.ts";
import { until } from "../world/until.ts";

const AF_INET = 2;
const SOCK_STREAM_NONBLOCK_CLOEXEC = 1 | 0o4000 | 0o2000000;
const LIMITS: HttpLimits = { headBytes: 65_536, fields: 100, headTimeoutMs: 60_000 };

export interface EngineOptions {
  /** The application's; of one that is not there by default. */
  readonly appPort: number;
  readonly gate?: Gate;
  readonly limits?: Partial<HttpLimits>;
}

/** Everything the engine told, and was asked. */
export class Http2Engine {
  readonly heads: RequestHead[] = [];
  readonly refusals: string[] = [];
  /** The statuses beside them. */
  readonly refusedWith: number[] = [];
  readonly outcomes: ExchangeOutcome[] = [];
  readonly served: ServedHttp2[] = [];
  /** Each closes an exchange that was let pass and goes on. */
  readonly held = new Set<() => void>();
  /** Connections to the application, ever. */
  dials = 0;
  readonly #options: EngineOptions;
  readonly #server: Server;

  constructor(options: EngineOptions) {
    this.#options = options;
    this.#server = createRawServer((socket) => this.serve(socket));
  }

  async start(): Promise<this> {
    await once(this.#server.listen(0, "127.0.0.1"), "listening");
    return this;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** The gate's yes to a request, with a head of its own where it has one. */
  pass(head: RequestHead): GateAnswer {
    return {
      kind: "pass",
      head,
      hold: (end) => {
        this.held.add(end);
        return () => this.held.delete(end);
      },
      done: (outcome) => this.outcomes.push(outcome),
    };
  }

  async close(): Promise<void> {
    for (const one of this.served) one.end();
    await new Promise((resolve) => this.#server.close(resolve));
    await until("every exchange to end", () => this.held.size === 0 || undefined);
  }

  /** A connection that somebody else accepted. */
  serve(socket: Side): void {
    const { gate = (head) => this.pass(head), limits } = this.#options;
    this.served.push(
      serveHttp2(socket, {
        gate: (head) => {
          this.heads.push(head);
          return gate(head);
        },
        dial: (onDone) => this.#dial(onDone),
        limits: { ...LIMITS, ...limits },
        refused: (reason, status) => {
          this.refusals.push(reason);
          this.refusedWith.push(status);
        },
      }),
    );
  }

  #dial(onDone: (code?: string) => void): RawSocket {
    this.dials += 1;
    const fd = libc.socket(AF_INET, SOCK_STREAM_NONBLOCK_CLOEXEC, 0);
    return dial({ fd, address: "127.0.0.1", port: this.#options.appPort }, onDone) as RawSocket;
  }
}

export interface Http2App {
  readonly port: number;
  readonly server: Http2Server;
  close(): Promise<void>;
}

/** An application on prior-knowledge HTTP/2. */
export async function startHttp2App(
  answer: (stream: ServerHttp2Stream, fields: Record<string, unknown>) => void,
): Promise<Http2App> {
  const server = createServer();
  const sessions = new Set<{ destroy(): void }>();
  server.on("session", (session) => {
    sessions.add(session);
    session.on("error", () => undefined);
    session.once("close", () => sessions.delete(session));
  });
  server.on("stream", (stream: ServerHttp2Stream, fields: Record<string, unknown>) => {
    stream.on("error", () => undefined);
    answer(stream, fields);
  });
  await once(server.listen(0, "127.0.0.1"), "listening");
  return {
    port: (server.address() as AddressInfo).port,
    server,
    async close() {
      for (const session of sessions) session.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

export interface Answered {
  readonly status: number;
  readonly fields: Record<string, unknown>;
  readonly body: string;
  readonly trailers: Record<string, unknown>;
  /** Of RST_STREAM; 0 for none, and for NO_ERROR. */
  readonly reset: number;
}

export async function openClient(port: number): Promise<ClientHttp2Session> {
  const session = connect(`http://127.0.0.1:${port}`);
  session.on("error", () => undefined);
  await once(session, "connect");
  return session;
}

/** Everything that comes on a stream until it closes. */
export async function answerOf(stream: ClientHttp2Stream): Promise<Answered> {
  let fields: Record<string, unknown> = {};
  let trailers: Record<string, unknown> = {};
  const chunks: Buffer[] = [];
  stream.on("error", () => undefined);
  stream.on("response", (got) => {
    fields = got;
  });
  stream.on("trailers", (got) => {
    trailers = got;
  });
  stream.on("data", (chunk: Buffer) => chunks.push(chunk));
  if (!stream.closed) await new Promise((resolve) => stream.once("close", resolve));
  const status = Number(fields[":status"] ?? 0);
  const body = Buffer.concat(chunks).toString();
  return { status, fields, body, trailers, reset: stream.rstCode };
}

export function ask(
  session: ClientHttp2Session,
  fields: OutgoingHttpHeaders,
  body?: string,
): Promise<Answered> {
  const stream = session.request(fields, { endStream: body === undefined });
  if (body !== undefined) stream.end(body);
  return answerOf(stream);
}
