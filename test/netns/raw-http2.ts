/** HTTP/2 by hand: frames that no honest client sends, and what the server says to them. */
import type { Socket } from "node:net";
import { connect, type SecureVersion, type TLSSocket } from "node:tls";

export const FRAME = {
  data: 0,
  headers: 1,
  priority: 2,
  resetStream: 3,
  settings: 4,
  ping: 6,
  goAway: 7,
  windowUpdate: 8,
  continuation: 9,
} as const;
export const END_STREAM = 1;
export const END_HEADERS = 4;
const PREFACE = Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");

/** HPACK of statuses as the first of a connection, by RFC 7541: static, literal, or in Huffman's code. */
const STATUSES: readonly (readonly [string, number])[] = [
  ["88", 200],
  ["8c", 400],
  ["4803343031", 401],
  ["0803343031", 401],
  ["48826801", 401],
  ["4803343033", 403],
  ["0803343033", 403],
  ["4883680cff", 403],
  ["4803343035", 405],
  ["0803343035", 405],
  ["4883680dff", 405],
  ["4803343331", 431],
  ["0803343331", 431],
  ["48836990ff", 431],
  ["4803353033", 503],
  ["0803353033", 503],
  ["48836c0cff", 503],
];

export interface Frame {
  readonly type: number;
  readonly flags: number;
  readonly stream: number;
  readonly payload: Buffer;
}

/** Type, flags, stream. */
type Head = readonly [number, number, number];

export function frame([type, flags, stream]: Head, payload: Buffer = NONE): Buffer {
  const head = Buffer.alloc(9);
  head.writeUIntBE(payload.length, 0, 3);
  head.writeUInt8(type, 3);
  head.writeUInt8(flags, 4);
  head.writeUInt32BE(stream, 5);
  return Buffer.concat([head, payload]);
}

const NONE: Buffer = Buffer.alloc(0);

/** HPACK literals without indexing, and without Huffman's code. */
export function headerBlock(fields: readonly (readonly [string, string])[]): Buffer {
  return Buffer.concat(
    fields.flatMap(([name, value]) => [Buffer.of(0), literal(name), literal(value)]),
  );
}

export function connectTo(authority: string): Buffer {
  return headerBlock([
    [":method", "CONNECT"],
    [":authority", authority],
  ]);
}

/** HEADERS of a whole request without a body to come; `END_STREAM` is not set: a tunnel stays open. */
export function headers(stream: number, block: Buffer): Buffer {
  return frame([FRAME.headers, END_HEADERS, stream], block);
}

function literal(text: string): Buffer {
  const bytes = Buffer.from(text, "latin1");
  return Buffer.concat([prefixed(bytes.length), bytes]);
}

/** RFC 7541 5.1, a prefix of seven bits. */
function prefixed(value: number): Buffer {
  if (value < 127) return Buffer.of(value);
  const bytes = [127];
  let rest = value - 127;
  for (; rest >= 128; rest = Math.floor(rest / 128)) bytes.push((rest % 128) + 128);
  return Buffer.from([...bytes, rest]);
}

export interface TlsAttack {
  readonly key?: string;
  readonly cert?: string;
  readonly alpn?: readonly string[];
  readonly maxVersion?: SecureVersion;
  readonly servername?: string;
}

/** TLS over `socket`, whoever the server is. Neither waits for the handshake nor fails with it. */
export function startTls(socket: Socket, attack: TlsAttack): TLSSocket {
  const { key, cert, alpn = ["h2"], maxVersion, servername } = attack;
  const tls = connect({
    socket,
    rejectUnauthorized: false,
    ...(key === undefined ? {} : { key }),
    ...(cert === undefined ? {} : { cert }),
    ...(alpn.length === 0 ? {} : { ALPNProtocols: [...alpn] }),
    ...(maxVersion === undefined ? {} : { maxVersion, minVersion: "TLSv1" as const }),
    ...(servername === undefined ? {} : { servername }),
  });
  tls.on("error", () => undefined);
  // A refusal is an orderly end too, which a socket tells only whoever reads.
  tls.on("end", () => tls.destroy());
  tls.resume();
  socket.on("error", () => undefined);
  return tls;
}

/** An HTTP/2 connection, mostly after TLS. Reads frames; answers nothing by itself. */
export class RawHttp2 {
  readonly #socket: Socket;
  readonly frames: Frame[] = [];
  /** One for all who wait: thousands of listeners take seconds to remove. */
  readonly #closed: Promise<void>;
  #rest: Buffer = NONE;

  constructor(socket: Socket) {
    this.#socket = socket;
    this.#closed = new Promise((resolve) => {
      if (socket.closed) resolve();
      else socket.once("close", () => resolve());
    });
    socket.on("data", (chunk: Buffer) => this.#take(chunk));
  }

  /** Connection preface and empty SETTINGS. */
  greet(): this {
    return this.send(PREFACE, frame([FRAME.settings, 0, 0]));
  }

  send(...frames: readonly Buffer[]): this {
    if (!this.#socket.destroyed) this.#socket.write(Buffer.concat(frames));
    return this;
  }

  /** Writes as fast as the server takes it, until `count` are sent or the server has closed. */
  async flood(count: number, make: (i: number) => Buffer): Promise<void> {
    for (let i = 0; i < count; ) {
      const batch: Buffer[] = [];
      for (let size = 0; i < count && size < 65_536; i++) {
        const next = make(i);
        size += next.length;
        batch.push(next);
      }
      if (this.#socket.destroyed) return;
      if (this.#socket.write(Buffer.concat(batch))) continue;
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#socket.once("drain", resolve);
      await Promise.race([promise, this.closed()]);
    }
  }

  /** The server has said something. */
  async greeted(): Promise<void> {
    await this.first(({ type }) => (type === FRAME.settings ? type : undefined));
  }

  /** Everything that was sent before has been read. */
  async ping(): Promise<void> {
    const before = this.#pongs();
    this.send(frame([FRAME.ping, 0, 0], Buffer.alloc(8)));
    await this.first(() => (this.#pongs() > before ? true : undefined));
  }

  #pongs(): number {
    return this.frames.filter(({ type, flags }) => type === FRAME.ping && flags === 1).length;
  }

  closed(): Promise<void> {
    return this.#closed;
  }

  /** Status of the answer, `reset N` or `goaway N` with the error code, or `closed`. */
  async answer(stream: number): Promise<number | string> {
    return (await this.first((one) => meaningOf(one, stream))) ?? "closed";
  }

  /** The text of the first DATA on the stream; `undefined` where the connection ends without. */
  text(stream: number): Promise<string | undefined> {
    return this.first(({ type, stream: of, payload }) =>
      type === FRAME.data && of === stream ? payload.toString() : undefined,
    );
  }

  /** Of the frames so far and to come; `undefined` where the connection ends without. */
  async first<T>(read: (frame: Frame) => T | undefined): Promise<T | undefined> {
    for (;;) {
      const found = this.frames.map(read).find((one) => one !== undefined);
      if (found !== undefined || this.#socket.closed) return found;
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#socket.once("data", resolve);
      await Promise.race([promise, this.closed()]);
    }
  }

  destroy(): void {
    this.#socket.destroy();
  }

  #take(chunk: Buffer): void {
    this.#rest = Buffer.concat([this.#rest, chunk]);
    for (;;) {
      if (this.#rest.length < 9) return;
      const end = 9 + this.#rest.readUIntBE(0, 3);
      if (this.#rest.length < end) return;
      this.frames.push({
        type: this.#rest.readUInt8(3),
        flags: this.#rest.readUInt8(4),
        stream: this.#rest.readUInt32BE(5) & 0x7fff_ffff,
        payload: this.#rest.subarray(9, end),
      });
      this.#rest = this.#rest.subarray(end);
    }
  }
}

function meaningOf({ type, stream, payload }: Frame, of: number): number | string | undefined {
  if (type === FRAME.goAway && payload.readUInt32BE(4) !== 0) {
    return `goaway ${payload.readUInt32BE(4)}`;
  }
  if (stream !== of) return undefined;
  if (type === FRAME.resetStream) return `reset ${payload.readUInt32BE(0)}`;
  if (type !== FRAME.headers) return undefined;
  const block = payload.toString("hex");
  return STATUSES.find(([prefix]) => block.startsWith(prefix))?.[1] ?? block;
}
