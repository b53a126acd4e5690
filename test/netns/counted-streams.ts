/** An application of HTTP/2 behind two node proxies that counts what reaches it, and what a caller by hand says to it. Not a test itself. */

import { createServer, type Http2Session, type ServerHttp2Stream } from "node:http2";
import type { Socket } from "node:net";
import { until } from "../world/until.ts";
import { END_HEADERS, END_STREAM, FRAME, frame, headerBlock, RawHttp2 } from "./raw-http2.ts";
import { createTwoFronts, type Front, type TwoFronts } from "./two-fronts.ts";

type Field = readonly [string, string];

/** Octets of the answer to `/big`. */
export const BIG: number = 1 << 20;
const PIECE = Buffer.alloc(16_384);

/**
 * Answers each request with its own path once it is whole; `/big` with many octets. Before it answers `/goaway` it says
 * that it takes no more requests by that connection.
 */
export class CountedStreams implements AsyncDisposable {
  /** Of each request that came, its path. */
  readonly seen: string[] = [];
  /** Of those that came to an orderly end, path and body. */
  readonly whole: string[] = [];
  /** Lengths of their fields `x-long`. */
  readonly longFields: number[] = [];
  readonly open = new Set<ServerHttp2Stream>();
  readonly #fronts: TwoFronts;
  readonly #raws: RawHttp2[] = [];

  static async start(prefix: string): Promise<CountedStreams> {
    const server = createServer({
      maxSessionMemory: 4_000,
      settings: { maxConcurrentStreams: 1_000 },
    });
    server.on("session", (session: Http2Session) => session.on("error", () => undefined));
    const fronts = await createTwoFronts(prefix, "http2", (socket) => {
      server.emit("connection", socket);
    });
    const streams = new CountedStreams(fronts);
    server.on("stream", (stream: ServerHttp2Stream, headers) => {
      streams.longFields.push(headers["x-long"]?.length ?? 0);
      streams.#serve(stream, headers[":path"] ?? "");
    });
    return streams;
  }

  constructor(fronts: TwoFronts) {
    this.#fronts = fronts;
  }

  /** Octets of all answers that somebody took. */
  get taken(): number {
    return this.#fronts.accepted.reduce((sum, socket) => sum + socket.bytesWritten, 0);
  }

  /** A connection that has greeted. */
  attacker(front: Front): RawHttp2 {
    const raw = new RawHttp2(this.dial(front));
    this.#raws.push(raw);
    return raw.greet();
  }

  dial(front: Front): Socket {
    const socket = this.#fronts.dial(front);
    return socket.on("end", () => socket.destroy());
  }

  clear(): void {
    for (const list of [this.seen, this.whole, this.longFields]) list.length = 0;
  }

  hangUp(): void {
    for (const raw of this.#raws.splice(0)) raw.destroy();
  }

  /** Of one more request, by a connection of its own. */
  async next(front: Front): Promise<readonly [status: number | string, text: string | undefined]> {
    const raw = this.attacker(front).send(ask(1, "/next"));
    return [await raw.answer(1), await raw.text(1)];
  }

  /** Resolves once the application has no stream of any attacker. */
  async leave(): Promise<void> {
    this.hangUp();
    await until("the application to be left alone", () => this.open.size === 0 || undefined);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#fronts[Symbol.asyncDispose]();
  }

  #serve(stream: ServerHttp2Stream, path: string): void {
    this.seen.push(path);
    this.open.add(stream);
    stream.on("close", () => this.open.delete(stream)).on("error", () => undefined);
    if (path === "/goaway") {
      stream.session?.goaway();
      stream.session?.settings({ maxConcurrentStreams: 0 });
    }
    let body = "";
    stream.setEncoding("latin1").on("data", (text: string) => {
      body += text;
    });
    stream.on("end", () => {
      if (stream.aborted || stream.destroyed) return;
      this.whole.push(`${path} ${body}`);
      if (path === "/big") pour(stream);
      else stream.end(path);
    });
  }
}

function pour(stream: ServerHttp2Stream): void {
  for (let octets = 0; octets < BIG; octets += PIECE.length) {
    stream.write(PIECE);
  }
  stream.end();
}

/** Of HEADERS that are all of a request. */
export const WHOLE = END_HEADERS | END_STREAM;

export function requestBlock(path: string, fields: readonly Field[] = [], method = "GET"): Buffer {
  return headerBlock([
    [":method", method],
    [":scheme", "http"],
    [":authority", "web.shop"],
    [":path", path],
    ...fields,
  ]);
}

/** HPACK: a field that takes a place in the table, the first there; and that place. */
export const LONG: Buffer = Buffer.concat([
  Buffer.of(0x40),
  headerBlock([["x-long", "v".repeat(3_900)]]).subarray(1),
]);
export const FIRST_PLACE: Buffer = Buffer.of(0xbe);
export const SETTING = { tableSize: 1, maxStreams: 3, window: 4 } as const;
export const GOAWAY: Buffer = frame([FRAME.goAway, 0, 0], Buffer.alloc(8));
export const ACK: Buffer = frame([FRAME.settings, 1, 0]);
/** Of a stream. */
export const HIGHEST: number = 2 ** 31 - 1;

export function ask(stream: number, path = "/", fields: readonly Field[] = []): Buffer {
  return frame([FRAME.headers, WHOLE, stream], requestBlock(path, fields));
}

/** A request whose body is still to come. */
export function post(stream: number, path = "/", fields: readonly Field[] = []): Buffer {
  return frame([FRAME.headers, END_HEADERS, stream], requestBlock(path, fields, "POST"));
}

export function data(stream: number, text: string, flags = 0): Buffer {
  return frame([FRAME.data, flags, stream], Buffer.from(text));
}

function number(type: number, stream: number, value: number): Buffer {
  const payload = Buffer.alloc(4);
  payload.writeUInt32BE(value);
  return frame([type, 0, stream], payload);
}

export function settings(id: number, value: number): Buffer {
  const payload = Buffer.alloc(6);
  payload.writeUInt16BE(id);
  payload.writeUInt32BE(value, 2);
  return frame([FRAME.settings, 0, 0], payload);
}

export function widen(stream: number, octets: number): Buffer {
  return number(FRAME.windowUpdate, stream, octets);
}
