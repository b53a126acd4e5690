import { once } from "node:events";
import { type AddressInfo, connect, type Server, Socket } from "node:net";
import { afterEach, beforeEach, expect, jest, test } from "@jest/globals";
import { helloMessage, recordsOf, serverNames } from "../../test/fakes/client-hello.ts";
import { startHboneClient, startHboneServer } from "../../test/fakes/hbone-pair.ts";
import { permitOutbound } from "../authz/decide.ts";
import { resetSide, type Side, type TcpSide } from "../flow/side.ts";
import { Splice, type SpliceEnd } from "../flow/splice.ts";
import type { HboneStream } from "../hbone/stream.ts";
import { createRawServer } from "../tcp/accept.ts";
import { findHandles, type KnownHandles, streamHandles } from "../tcp/handles.ts";
import { type Heard, hearHello } from "./hear-hello.ts";

const HELLO = recordsOf(helloMessage([serverNames("api.shop")]), 20);
const REST = Buffer.alloc(300_000, "what follows; ");

/** Callers' sides: without Node's streams, and with them. */
const KINDS: readonly (readonly [string, KnownHandles])[] = [
  ["a raw socket", streamHandles()],
  ["a socket of Node's", findHandles("20.0.0")],
];

let server: Server;
let take: (socket: TcpSide) => void;
const open: { destroy(): unknown }[] = [];

async function listen(handles: KnownHandles): Promise<void> {
  server = createRawServer((socket) => take(socket), handles);
  await once(server.listen(0, "127.0.0.1"), "listening");
}

beforeEach(() => {
  jest.useFakeTimers({ doNotFake: ["nextTick", "setImmediate", "queueMicrotask", "performance"] });
});

afterEach(async () => {
  jest.useRealTimers();
  for (const socket of open.splice(0)) socket.destroy();
  await once(server.close(), "close");
});

/** Both ends of one TCP connection. */
async function pair(): Promise<readonly [Socket, TcpSide]> {
  const { port } = server.address() as AddressInfo;
  const accepted = Promise.withResolvers<TcpSide>();
  take = accepted.resolve;
  const near = connect({ port, host: "127.0.0.1", allowHalfOpen: true });
  near.on("error", () => undefined);
  await once(near, "connect");
  const far = await accepted.promise;
  if (far instanceof Socket) far.on("error", () => undefined);
  open.push(near, far);
  return [near, far];
}

interface Hearing {
  readonly caller: Socket;
  readonly front: Side;
  readonly heard: Promise<Heard | undefined>;
}

async function hearing(): Promise<Hearing> {
  const [caller, front] = await pair();
  const { promise, resolve } = Promise.withResolvers<Heard | undefined>();
  hearHello(front, resolve);
  return { caller, front, heard: promise };
}

/** All that an upstream gets of a connection that is carried on from there, and how that ends. */
async function carriedOn({
  front,
  heard,
}: Pick<Hearing, "front" | "heard">): Promise<readonly [Buffer, SpliceEnd]> {
  const opening = (await heard)?.opening;
  if (!opening) throw new Error("the caller is gone");
  const [upstream, back] = await pair();
  const { promise: ended, resolve } = Promise.withResolvers<SpliceEnd>();
  new Splice(permitOutbound(), { front, back, opening }, { onSpliceEnd: resolve });
  const chunks: Buffer[] = [];
  upstream.on("data", (chunk: Buffer) => chunks.push(chunk)).on("end", () => upstream.end());
  const end = await ended;
  return [Buffer.concat(chunks), end];
}

async function turns(count: number): Promise<void> {
  for (let i = 0; i < count; i += 1) await new Promise((resolve) => setImmediate(resolve));
}

test.each(KINDS)(
  "hearHello() of %s: the name is heard, and every octet goes on in order",
  async (_, handles) => {
    await listen(handles);
    const each = await hearing();
    each.caller.write(HELLO.subarray(0, 7));
    await turns(20);
    each.caller.write(HELLO.subarray(7));
    each.caller.end(REST);
    expect((await each.heard)?.sni).toBe("api.shop");
    const [bytes, end] = await carriedOn(each);
    expect(bytes.equals(Buffer.concat([HELLO, REST]))).toBe(true);
    expect(end).toBe("closed");
  },
);

test.each(KINDS)(
  "hearHello() of %s: nothing is read beyond what was needed, until it is carried on",
  async (_, handles) => {
    await listen(handles);
    const each = await hearing();
    each.caller.write(HELLO);
    await each.heard;
    // More than the kernel keeps.
    const bulk = Buffer.alloc(32 << 20, "bulk; ");
    each.caller.end(bulk);
    await turns(500);
    expect(each.caller.writableLength).toBeGreaterThan(0);
    const [bytes] = await carriedOn(each);
    expect(bytes.equals(Buffer.concat([HELLO, bulk]))).toBe(true);
  },
);

test.each(KINDS)(
  "hearHello() of %s: what is no TLS has no name, at once, and goes on",
  async (_, handles) => {
    await listen(handles);
    const each = await hearing();
    each.caller.end("P");
    expect(await each.heard).not.toHaveProperty("sni");
    const [bytes, end] = await carriedOn(each);
    expect([bytes.toString(), end]).toEqual(["P", "closed"]);
  },
);

test.each(KINDS)(
  "hearHello() of %s: a caller that ends before its hello has come is heard to the end",
  async (_, handles) => {
    await listen(handles);
    for (const part of [HELLO.subarray(0, 30), Buffer.alloc(0)]) {
      const each = await hearing();
      each.caller.end(part);
      expect(await each.heard).not.toHaveProperty("sni");
      const [bytes, end] = await carriedOn(each);
      expect(bytes.equals(part)).toBe(true);
      expect(end).toBe("closed");
    }
  },
);

test.each(KINDS)(
  "hearHello() of %s: an end that comes while the pod is reached is not lost",
  async (_, handles) => {
    await listen(handles);
    const each = await hearing();
    each.caller.write("P");
    await each.heard;
    each.caller.end();
    await turns(50);
    expect(await carriedOn(each)).toEqual([Buffer.from("P"), "closed"]);
  },
);

test.each(KINDS)(
  "hearHello() of %s: who says nothing for ten seconds has no name, and may still speak",
  async (_, handles) => {
    await listen(handles);
    const each = await hearing();
    each.caller.write(HELLO.subarray(0, 9));
    await turns(20);
    jest.advanceTimersByTime(9_999);
    expect(await Promise.race([each.heard, turns(5).then(() => "waits")])).toBe("waits");
    jest.advanceTimersByTime(1);
    expect(await each.heard).not.toHaveProperty("sni");
    each.caller.end(HELLO.subarray(9));
    const [bytes] = await carriedOn(each);
    expect(bytes.equals(HELLO)).toBe(true);
  },
);

test.each(KINDS)("hearHello() of %s: a caller that goes is not heard", async (_, handles) => {
  await listen(handles);
  const each = await hearing();
  each.caller.write(HELLO.subarray(0, 9));
  await turns(20);
  each.caller.resetAndDestroy();
  expect(await each.heard).toBeUndefined();
  expect(jest.getTimerCount()).toBe(0);
});

test.each(KINDS)(
  "hearHello() of %s: a side that is gone already is told of at once",
  async (_, handles) => {
    await listen(handles);
    const [, front] = await pair();
    resetSide(front);
    let heard: Heard | undefined | "never" = "never";
    hearHello(front, (told) => {
      heard = told;
    });
    expect(heard).toBeUndefined();
    expect(jest.getTimerCount()).toBe(0);
  },
);

/** A tunnel whose requests are answered and heard. */
async function hearingTunnel() {
  await listen(streamHandles());
  const { promise: heard, resolve } = Promise.withResolvers<Heard | undefined>();
  const fronts: HboneStream[] = [];
  const tunnels = await startHboneServer(({ stream }) => {
    fronts.push(stream);
    stream.answer(200, false);
    hearHello(stream, resolve);
  });
  open.push({ destroy: () => void tunnels.close() });
  const { open: request, socket } = await startHboneClient(tunnels.port);
  open.push(socket);
  const caller = request();
  await caller.until(({ status }) => status === 200);
  const [front] = fronts;
  if (!front) throw new Error("no stream");
  return { caller, front, heard };
}

test("hearHello() of a tunnel's stream: the name is heard, and every octet goes on, more than a window", async () => {
  const { caller, front, heard } = await hearingTunnel();
  const bytes = Buffer.concat([HELLO, Buffer.alloc(6 << 20, "bulk; ")]);
  const sent = caller.send(bytes, 50_000);
  expect((await heard)?.sni).toBe("api.shop");
  const [arrived, end] = await carriedOn({ front, heard });
  await sent;
  expect(arrived.equals(bytes)).toBe(true);
  expect(end).toBe("closed");
});

test("hearHello() of a tunnel's stream: what ended before it was heard is heard to the end", async () => {
  const { caller, front, heard } = await hearingTunnel();
  await caller.send(HELLO.subarray(0, 30), 7);
  expect(await heard).not.toHaveProperty("sni");
  const [arrived, end] = await carriedOn({ front, heard });
  expect(arrived.equals(HELLO.subarray(0, 30))).toBe(true);
  expect(end).toBe("closed");
});

test("hearHello() of a tunnel's stream: a refusal then is a reset", async () => {
  const { caller, front, heard } = await hearingTunnel();
  caller.stream.write(HELLO);
  await heard;
  resetSide(front);
  await caller.until(({ isClosed }) => isClosed);
  // RFC 9113 7: CONNECT_ERROR
  expect([caller.hasEnded, caller.stream.resetCode]).toEqual([false, 0xa]);
});

test("hearHello() of a tunnel's stream: a caller that goes is not heard", async () => {
  const { caller, heard } = await hearingTunnel();
  caller.stream.write(HELLO.subarray(0, 9));
  caller.stream.reset();
  expect(await heard).toBeUndefined();
  expect(jest.getTimerCount()).toBe(0);
});
