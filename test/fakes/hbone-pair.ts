/** Both ends of HTTP/2 connections of our own over loopback TCP, and readers that keep what they are told. */
import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";
import { type ConnectionOwner, HboneConnection } from "../../nodeproxy/hbone/connection.ts";
import type { HboneStream } from "../../nodeproxy/hbone/stream.ts";
import type { StreamReader } from "../../nodeproxy/hbone/stream-line.ts";
import type { Http2Error } from "../../nodeproxy/http2/http2-error.ts";
import type { RequestFields } from "../../nodeproxy/http2/request-fields.ts";

/** Remembers what a stream told, and wakes who waits for it. */
export class Recorded implements StreamReader {
  readonly stream: HboneStream;
  readonly chunks: Buffer[] = [];
  bytes = 0;
  drains = 0;
  status: number | undefined;
  hasEnded = false;
  isClosed = false;
  readonly #waiting: (() => void)[] = [];

  constructor(stream: HboneStream) {
    this.stream = stream;
    stream.readBy(this);
    stream.watchAnswer((status) => this.onAnswer(status));
  }

  onAnswer(status: number): void {
    this.status = status;
    this.#wake();
  }

  onData(chunk: Buffer): boolean {
    // Its memory is the connection's again after the call.
    this.chunks.push(Buffer.from(chunk));
    this.bytes += chunk.length;
    this.#wake();
    return true;
  }

  onEnd(): void {
    this.hasEnded = true;
    this.#wake();
  }

  onDrain(): void {
    this.drains += 1;
    this.#wake();
  }

  onClose(): void {
    this.isClosed = true;
    this.#wake();
  }

  async until(isSo: (self: this) => boolean): Promise<this> {
    while (!isSo(this)) {
      await new Promise<void>((resolve) => {
        this.#waiting.push(resolve);
      });
    }
    return this;
  }

  /** Writes all, as fast as it is let, and ends. */
  async send(bytes: Buffer, step: number): Promise<void> {
    for (let at = 0; at < bytes.length; at += step) {
      const { drains } = this;
      if (this.stream.write(bytes.subarray(at, at + step))) continue;
      await this.until((self) => self.drains > drains || self.isClosed);
    }
    this.stream.end();
  }

  #wake(): void {
    for (const resolve of this.#waiting.splice(0)) resolve();
  }
}

/** Everything an end of a connection told its owner. */
export class RecordedOwner implements ConnectionOwner {
  readonly accepted: Recorded[] = [];
  readonly requests: RequestFields[] = [];
  malformed = 0;
  isReady = false;
  goAways = 0;
  streamsClosed = 0;
  error: Http2Error | undefined;
  readonly #onRequest: ((recorded: Recorded) => void) | undefined;
  readonly #waiting: (() => void)[] = [];

  constructor(onRequest?: (recorded: Recorded) => void) {
    this.#onRequest = onRequest;
  }

  onRequest(stream: HboneStream, request: RequestFields): void {
    const recorded = new Recorded(stream);
    this.accepted.push(recorded);
    this.requests.push(request);
    this.#onRequest?.(recorded);
    this.#wake();
  }

  onMalformed(): void {
    this.malformed += 1;
    this.#wake();
  }

  onReady(): void {
    this.isReady = true;
    this.#wake();
  }

  onGoAway(): void {
    this.goAways += 1;
    this.#wake();
  }

  onStreamClosed(): void {
    this.streamsClosed += 1;
    this.#wake();
  }

  onClosed(error: Http2Error): void {
    this.error = error;
    this.#wake();
  }

  async until(isSo: (self: this) => boolean): Promise<this> {
    while (!isSo(this)) {
      await new Promise<void>((resolve) => {
        this.#waiting.push(resolve);
      });
    }
    return this;
  }

  #wake(): void {
    for (const resolve of this.#waiting.splice(0)) resolve();
  }
}

export interface HboneServer {
  readonly port: number;
  /** One for each connection, in order. */
  readonly owners: readonly RecordedOwner[];
  readonly connections: readonly HboneConnection[];
  close(): Promise<void>;
}

export async function startHboneServer(
  onRequest?: (recorded: Recorded) => void,
): Promise<HboneServer> {
  const owners: RecordedOwner[] = [];
  const connections: HboneConnection[] = [];
  const server: Server = createServer((socket) => {
    socket.setNoDelay(true);
    const owner = new RecordedOwner(onRequest);
    owners.push(owner);
    connections.push(new HboneConnection(socket, owner, { isServer: true, maxStreams: 1_000 }));
  });
  await once(server.listen(0, "127.0.0.1"), "listening");
  return {
    port: (server.address() as AddressInfo).port,
    owners,
    connections,
    async close() {
      for (const connection of connections) connection.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

export interface HboneClient {
  readonly connection: HboneConnection;
  readonly owner: RecordedOwner;
  readonly socket: Socket;
  readonly open: (authority?: string) => Recorded;
}

export async function startHboneClient(port: number): Promise<HboneClient> {
  const socket = connect(port, "127.0.0.1");
  await once(socket, "connect");
  socket.setNoDelay(true);
  const owner = new RecordedOwner();
  const connection = new HboneConnection(socket, owner, { isServer: false, maxStreams: 0 });
  return {
    connection,
    owner,
    socket,
    open: (authority = "10.0.0.1:80") => {
      const stream = connection.request(authority);
      if (!stream) throw new Error("the connection takes no streams");
      return new Recorded(stream);
    },
  };
}
