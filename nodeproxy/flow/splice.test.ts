import { createHash } from "node:crypto";
import { once } from "node:events";
import { type AddressInfo, connect, type Server, type Socket } from "node:net";
import { afterEach, expect, test } from "@jest/globals";
import fc from "fast-check";
import { permitOutbound } from "../authz/decide.ts";
import { createRawServer } from "../tcp/accept.ts";
import { findHandles, type KnownHandles, streamHandles } from "../tcp/handles.ts";
import { ReadLane } from "./read-lane.ts";
import type { TcpSide } from "./side.ts";
import { Splice, type SpliceEnd } from "./splice.ts";

interface Spliced {
  readonly caller: Socket;
  readonly upstream: Socket;
  readonly splice: Splice;
  readonly ended: Promise<SpliceEnd>;
}

/** Of a pod that is so busy that every other read is late. */
class BusyLane extends ReadLane {
  #reads = 0;

  override admit(octets: number): boolean {
    this.#reads += 1;
    return this.#reads % 2 === 0 && super.admit(octets);
  }
}

/** The sockets that are spliced: without Node's streams, and with them where its handles are not known. */
const KINDS: readonly (readonly [string, KnownHandles])[] = [
  ["raw sockets", streamHandles()],
  ["sockets of a Node whose handles are not known", findHandles("20.0.0")],
];

let server: Server;
let take: (socket: TcpSide) => void;
const open: Socket[] = [];

async function listen(handles: KnownHandles): Promise<void> {
  server = createRawServer((socket) => take(socket), handles);
  await once(server.listen(0, "127.0.0.1"), "listening");
}

afterEach(async () => {
  for (const socket of open.splice(0)) socket.destroy();
  await once(server.close(), "close");
});

/** Both ends of one TCP connection. */
async function pair(): Promise<readonly [Socket, TcpSide]> {
  const { port } = server.address() as AddressInfo;
  const accepted = Promise.withResolvers<TcpSide>();
  take = accepted.resolve;
  const near = connect({ port, host: "127.0.0.1", allowHalfOpen: true });
  await once(near, "connect");
  open.push(near);
  return [near, await accepted.promise];
}

/** caller ══ front → splice → back ══ upstream */
async function spliced(): Promise<Spliced> {
  const [caller, front] = await pair();
  const [upstream, back] = await pair();
  for (const socket of [caller, upstream]) socket.on("error", () => undefined);
  const { promise: ended, resolve } = Promise.withResolvers<SpliceEnd>();
  const lane = new BusyLane();
  const splice = new Splice(permitOutbound(), { front, back, lane }, { onSpliceEnd: resolve });
  return { caller, upstream, splice, ended };
}

/** Length and digest of all that arrives until the end. */
async function received(socket: Socket): Promise<string> {
  const hash = createHash("sha256");
  let length = 0;
  socket.on("data", (chunk: Buffer) => {
    length += chunk.length;
    hash.update(chunk);
  });
  await once(socket, "end");
  return `${length} ${hash.digest("hex")}`;
}

function digest(bytes: Buffer): string {
  return `${bytes.length} ${createHash("sha256").update(bytes).digest("hex")}`;
}

async function pingOften({ caller, upstream }: Spliced, times: number): Promise<void> {
  upstream.on("data", (chunk: Buffer) => upstream.write(chunk));
  upstream.resume();
  for (let i = 0; i < times; i += 1) {
    caller.write("ping");
    await once(caller, "data");
  }
}

test.each(KINDS)(
  "Splice of %s: bytes of any sizes arrive whole and in order, both ways at once",
  async (_, handles) => {
    await listen(handles);
    const sizes = fc.array(fc.integer({ min: 1, max: 200_000 }), { minLength: 1, maxLength: 20 });
    await fc.assert(
      fc.asyncProperty(sizes, sizes, async (forth, back) => {
        const { caller, upstream, splice, ended } = await spliced();
        const sent = [forth, back].map((list) =>
          list.map((size, i) => Buffer.alloc(size, `${i} of ${size};`)),
        );
        const arrived = [received(upstream), received(caller)];
        for (const chunk of sent[0] ?? []) caller.write(chunk);
        for (const chunk of sent[1] ?? []) upstream.write(chunk);
        caller.end();
        upstream.end();
        expect(await Promise.all(arrived)).toEqual(
          sent.map((chunks) => digest(Buffer.concat(chunks))),
        );
        expect(await ended).toBe("closed");
        expect([splice.bytesForth, splice.bytesBack]).toEqual(
          sent.map((chunks) => Buffer.concat(chunks).length),
        );
      }),
      { numRuns: 20 },
    );
  },
);

test.each(KINDS)(
  "Splice of %s: after the caller's end the upstream's bulk still arrives",
  async (_, handles) => {
    await listen(handles);
    const { caller, upstream, ended } = await spliced();
    const bulk = Buffer.alloc(3 << 20, "bulk");
    const arrived = received(caller);
    upstream.on("end", () => upstream.end(bulk));
    upstream.resume();
    caller.end();
    expect(await arrived).toBe(digest(bulk));
    expect(await ended).toBe("closed");
  },
);

test.each(KINDS)(
  "Splice of %s: a reader that stops stops the sender, and takes up where it was",
  async (_, handles) => {
    await listen(handles);
    const { caller, upstream, splice } = await spliced();
    const bulk = Buffer.alloc(64 << 20, "slow reader");
    const sent = once(caller.end(bulk), "finish");
    // As many turns of the loop as would carry all of it, were it not held back.
    await pingOften(await spliced(), 500);
    expect(splice.bytesForth).toBeLessThan(bulk.length / 2);
    expect(await received(upstream)).toBe(digest(bulk));
    await sent;
  },
);

test.each(KINDS)(
  "Splice of %s: a reset in the middle of a bulk transfer is a reset on the other side",
  async (_, handles) => {
    await listen(handles);
    const { caller, upstream, ended } = await spliced();
    caller.write(Buffer.alloc(4 << 20));
    upstream.resume();
    await once(upstream, "data");
    const lost = once(upstream, "error") as Promise<[NodeJS.ErrnoException]>;
    caller.resetAndDestroy();
    const [error] = await lost;
    expect(error.code).toBe("ECONNRESET");
    expect(await ended).toBe("reset");
  },
);

test.each(KINDS)(
  "Splice of %s: cut() in the middle of a bulk transfer resets both sides",
  async (_, handles) => {
    await listen(handles);
    const { caller, upstream, splice, ended } = await spliced();
    caller.write(Buffer.alloc(4 << 20));
    upstream.resume();
    await once(upstream, "data");
    const lost = [caller, upstream].map(
      (socket) => once(socket, "error") as Promise<[NodeJS.ErrnoException]>,
    );
    splice.cut();
    const codes = (await Promise.all(lost)).map(([error]) => error.code);
    expect(codes.every((code) => code === "ECONNRESET" || code === "EPIPE")).toBe(true);
    expect(await ended).toBe("cut");
  },
);
