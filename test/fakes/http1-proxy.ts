/** The HTTP/1 engine on loopback, between a client and a pod that are both a test's: what it was asked, and what it said. */
import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import type { ReadLane } from "../../nodeproxy/flow/read-lane.ts";
import type { HttpLimits } from "../../nodeproxy/http/http-limits.ts";
import type { HttpServing } from "../../nodeproxy/http/http1-options.ts";
import type { ExchangeOutcome, GateAnswer, RequestHead } from "../../nodeproxy/http/message.ts";
import type { RequestWay } from "../../nodeproxy/http/request-way.ts";
import { serveHttp1 } from "../../nodeproxy/http/serve-http1.ts";
import { libc } from "../../nodeproxy/sys/libc.ts";
import { createRawServer } from "../../nodeproxy/tcp/accept.ts";
import { dial } from "../../nodeproxy/tcp/dial.ts";
import { type KnownHandles, streamHandles } from "../../nodeproxy/tcp/handles.ts";

const AF_INET = 2;
const SOCK_STREAM_NONBLOCK_CLOEXEC = 1 | 0o4000 | 0o2000000;

const LIMITS: HttpLimits = { headBytes: 64 << 10, fields: 100, headTimeoutMs: 60_000 };

export interface ProxyOptions {
  readonly gate?: (head: RequestHead) => GateAnswer | Promise<GateAnswer>;
  readonly limits?: Partial<HttpLimits>;
  readonly handles?: KnownHandles;
  readonly lane?: ReadLane;
}

export class Http1Proxy {
  readonly asked: RequestHead[] = [];
  readonly refused: string[] = [];
  /** The statuses beside them. */
  readonly refusedWith: number[] = [];
  readonly outcomes: ExchangeOutcome[] = [];
  readonly servings: HttpServing[] = [];
  /** Of the exchanges that are held: what a change of policy would call. */
  readonly held = new Set<() => void>();
  dials = 0;
  /** Connections that are over. */
  ended = 0;
  readonly #options: ProxyOptions;
  readonly #podPort: number;
  readonly #waiting: (() => void)[] = [];
  readonly #server;

  constructor(podPort: number, options: ProxyOptions) {
    this.#podPort = podPort;
    this.#options = options;
    this.#server = createRawServer((front) => {
      const { lane } = options;
      const serving = serveHttp1(front, {
        gate: (head) => this.#judge(head),
        dial: (onDone) => this.#dial(onDone),
        limits: { ...LIMITS, ...options.limits },
        refused: (reason, status) => {
          this.refused.push(reason);
          this.refusedWith.push(status);
          this.#wake();
        },
        ended: () => {
          this.ended += 1;
          this.#wake();
        },
        ...(lane ? { lane } : {}),
      });
      this.servings.push(serving);
      this.#wake();
    }, options.handles);
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  async start(): Promise<this> {
    await once(this.#server.listen(0, "127.0.0.1"), "listening");
    return this;
  }

  /** Once it is so: asked again whenever something was told. */
  async until(isSo: () => boolean): Promise<void> {
    while (!isSo()) await new Promise<void>((resolve) => this.#waiting.push(resolve));
  }

  /** That lets the request pass, changed or as it is. */
  pass(head: RequestHead, way?: RequestWay): GateAnswer {
    return {
      kind: "pass",
      head,
      ...(way ? { way } : {}),
      hold: (end) => {
        this.held.add(end);
        this.#wake();
        return () => this.held.delete(end);
      },
      done: (outcome) => {
        this.outcomes.push(outcome);
        this.#wake();
      },
    };
  }

  async close(): Promise<void> {
    for (const serving of this.servings) serving.end();
    await once(this.#server.close(), "close");
  }

  #wake(): void {
    for (const resolve of this.#waiting.splice(0)) resolve();
  }

  #judge(head: RequestHead): GateAnswer | Promise<GateAnswer> {
    this.asked.push(head);
    this.#wake();
    return this.#options.gate?.(head) ?? this.pass(head);
  }

  #dial(onDone: (code?: string) => void) {
    this.dials += 1;
    const fd = libc.socket(AF_INET, SOCK_STREAM_NONBLOCK_CLOEXEC, 0);
    const { handles = streamHandles() } = this.#options;
    return dial({ fd, address: "127.0.0.1", port: this.#podPort }, onDone, handles);
  }
}

/** One connection, its octets as they came, and how it ended. */
export class RawPeer {
  readonly socket: Socket;
  received = "";
  end: "open" | "ended" | "reset" = "open";
  readonly #waiting: (() => void)[] = [];

  constructor(socket: Socket) {
    this.socket = socket;
    socket.on("data", (chunk: Buffer) => {
      this.received += chunk.toString("latin1");
      this.#wake();
    });
    socket.on("end", () => this.#ended("ended"));
    socket.on("error", () => this.#ended("reset"));
    socket.on("close", () => this.#ended("ended"));
  }

  write(text: string): this {
    this.socket.write(text, "latin1");
    return this;
  }

  /** What has come once it matches. */
  async until(pattern: RegExp): Promise<string> {
    await this.#until(() => pattern.test(this.received));
    return this.received;
  }

  /** What has come before the other side ended, which way it did. */
  async untilEnd(): Promise<string> {
    await this.#until(() => this.end !== "open");
    return this.received;
  }

  async #until(isSo: () => boolean): Promise<void> {
    while (!isSo()) {
      if (this.end !== "open") throw new Error(`${this.end} after ${this.received.slice(0, 300)}`);
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
  }

  #ended(how: "ended" | "reset"): void {
    if (this.end === "open" || how === "reset") this.end = how;
    this.#wake();
  }

  #wake(): void {
    for (const resolve of this.#waiting.splice(0)) resolve();
  }
}

export async function callRaw(port: number): Promise<RawPeer> {
  const socket = connect({ port, host: "127.0.0.1", allowHalfOpen: true });
  await once(socket, "connect");
  return new RawPeer(socket);
}

/** A pod that says what the test has it say, and keeps every octet that reached it. */
export class RawPod {
  readonly connections: RawPeer[] = [];
  readonly #waiting: (() => void)[] = [];
  readonly #server;

  constructor(onConnection?: (peer: RawPeer) => void) {
    this.#server = createServer({ allowHalfOpen: true }, (socket) => {
      const peer = new RawPeer(socket);
      this.connections.push(peer);
      for (const resolve of this.#waiting.splice(0)) resolve();
      onConnection?.(peer);
    });
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** All that has come, of all connections in order. */
  get received(): string {
    return this.connections.map(({ received }) => received).join("");
  }

  async start(): Promise<this> {
    await once(this.#server.listen(0, "127.0.0.1"), "listening");
    return this;
  }

  async connection(index: number): Promise<RawPeer> {
    for (;;) {
      const peer = this.connections[index];
      if (peer) return peer;
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
  }

  async close(): Promise<void> {
    for (const { socket } of this.connections) socket.destroy();
    await once(this.#server.close(), "close");
  }
}
