import { createHash } from "node:crypto";
import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";
import { afterEach, beforeEach, expect, test } from "@jest/globals";
import fc from "fast-check";
import { permitOutbound } from "../authz/decide.ts";
import { Splice, type SpliceEnd } from "./splice.ts";

interface Spliced {
  readonly caller: Socket;
  readonly upstream: Socket;
  readonly splice: Splice;
  readonly ended: Promise<SpliceEnd>;
}

let server: Server;
const open: Socket[] = [];

beforeEach(async () => {
  server = createServer({ allowHalfOpen: true, pauseOnConnect: true });
  await once(server.listen(0, "127.0.0.1"), "listening");
});

afterEach(async () => {
  for (const socket of open.splice(0)) socket.destroy();
  await once(server.close(), "close");
});

/** Both ends of one TCP connection. */
async function pair(): Promise<readonly [Socket, Socket]> {
  const { port } = server.address() as AddressInfo;
  const accepted = once(server, "connection") as Promise<[Socket]>;
  const near = connect({ port, host: "127.0.0.1", allowHalfOpen: true });
  await once(near, "connect");
  const [far] = await accepted;
  open.push(near, far);
  return [near, far];
}

/** caller ══ front → splice → back ══ upstream */
async function spliced(): Promise<Spliced> {
  const [caller, front] = await pair();
  const [back, upstream] = await pair();
  for (const socket of [caller, upstream]) socket.on("error", () => undefined);
  const { promise: ended, resolve } = Promise.withResolvers<SpliceEnd>();
  const splice = new Splice(permitOutbound(), { front, back }, { onSpliceEnd: resolve });
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
  // Accepted ones wait paused.
  socket.resume();
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

test("Splice: bytes of any sizes arrive whole and in order, both ways at once", async () => {
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
});

test("Splice: after the caller's end the upstream's bulk still arrives", async () => {
  const { caller, upstream, ended } = await spliced();
  const bulk = Buffer.alloc(3 << 20, "bulk");
  const arrived = received(caller);
  upstream.on("end", () => upstream.end(bulk));
  upstream.resume();
  caller.end();
  expect(await arrived).toBe(digest(bulk));
  expect(await ended).toBe("closed");
});

test("Splice: a reader that stops stops the sender, and takes up where it was", async () => {
  const { caller, upstream, splice } = await spliced();
  const bulk = Buffer.alloc(64 << 20, "slow reader");
  const sent = once(caller.end(bulk), "finish");
  // As many turns of the loop as would carry all of it, were it not held back.
  await pingOften(await spliced(), 500);
  expect(splice.bytesForth).toBeLessThan(bulk.length / 2);
  expect(await received(upstream)).toBe(digest(bulk));
  await sent;
});

test("Splice: a reset in the middle of a bulk transfer is a reset on the other side", async () => {
  const { caller, upstream, ended } = await spliced();
  caller.write(Buffer.alloc(4 << 20));
  upstream.resume();
  await once(upstream, "data");
  const lost = once(upstream, "error") as Promise<[NodeJS.ErrnoException]>;
  caller.resetAndDestroy();
  const [error] = await lost;
  expect(error.code).toBe("ECONNRESET");
  expect(await ended).toBe("reset");
});

test("Splice: cut() in the middle of a bulk transfer resets both sides", async () => {
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
});
