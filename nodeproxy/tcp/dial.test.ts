import { once } from "node:events";
import { type AddressInfo, connect, Socket } from "node:net";
import { afterEach, expect, test } from "@jest/globals";
import { libc } from "../sys/libc.ts";
import { createRawServer, descriptorOf, toNetSocket } from "./accept.ts";
import { dial } from "./dial.ts";
import { findHandles, type KnownHandles, streamHandles } from "./handles.ts";
import { RawSocket } from "./raw-socket.ts";

const KINDS: readonly (readonly [string, KnownHandles])[] = [
  ["raw sockets", streamHandles()],
  ["sockets of a Node whose handles are not known", findHandles("20.0.0")],
];
const AF_INET = 2;
const SOCK_STREAM_NONBLOCK_CLOEXEC = 1 | 0o4000 | 0o2000000;

const cleanups: (() => void)[] = [];

afterEach(() => {
  for (const cleanup of cleanups.splice(0)) cleanup();
});

function newSocket(): number {
  return libc.socket(AF_INET, SOCK_STREAM_NONBLOCK_CLOEXEC, 0);
}

async function listening(
  take: (socket: Socket | RawSocket) => void,
  handles?: KnownHandles,
): Promise<number> {
  const server = createRawServer((socket) => {
    cleanups.push(() => socket.destroy());
    take(socket);
  }, handles);
  await once(server.listen(0, "127.0.0.1"), "listening");
  cleanups.push(() => server.close());
  return (server.address() as AddressInfo).port;
}

async function dialled(port: number, handles: KnownHandles) {
  const { promise, resolve } = Promise.withResolvers<string | undefined>();
  const socket = dial({ fd: newSocket(), address: "127.0.0.1", port }, resolve, handles);
  return { socket, code: await promise };
}

test("streamHandles(): this Node's are known, so that what follows tests both kinds", () => {
  expect(streamHandles()).not.toBe("unknown");
  expect(findHandles("27.0.0")).toBe("unknown");
});

test.each(KINDS)(
  "dial() with %s: connects, and both ends know each other's names",
  async (_, handles) => {
    const accepted = Promise.withResolvers<Socket | RawSocket>();
    const port = await listening(accepted.resolve, handles);
    const { socket, code } = await dialled(port, handles);
    const taken = await accepted.promise;
    expect([code, socket instanceof RawSocket, taken instanceof RawSocket]).toEqual([
      undefined,
      handles !== "unknown",
      handles !== "unknown",
    ]);
    expect([socket.remoteAddress, socket.remotePort, socket.remoteFamily]).toEqual([
      "127.0.0.1",
      port,
      "IPv4",
    ]);
    expect(descriptorOf(taken)).toBeGreaterThan(2);
    expect(descriptorOf(socket)).not.toBe(descriptorOf(taken));
    for (const one of [socket, taken]) one.destroy();
    expect([socket.destroyed, taken.destroyed]).toEqual([true, true]);
  },
);

test.each(KINDS)(
  "dial() with %s: tells what the kernel says where nobody listens",
  async (_, handles) => {
    const port = await listening(() => undefined);
    for (const cleanup of cleanups.splice(0)) cleanup();
    const { socket, code } = await dialled(port, handles);
    expect(code).toBe("ECONNREFUSED");
    socket.destroy();
  },
);

test("dial(): says nothing after destroy()", async () => {
  const accepted = Promise.withResolvers<Socket | RawSocket>();
  const port = await listening(accepted.resolve);
  const said: (string | undefined)[] = [];
  const socket = dial({ fd: newSocket(), address: "127.0.0.1", port }, (code) => said.push(code));
  socket.destroy();
  const later = await dialled(port, streamHandles());
  expect([later.code, said]).toEqual([undefined, []]);
  later.socket.destroy();
});

test.each(KINDS)("toNetSocket() with %s: nothing was read before", async (_, handles) => {
  const accepted = Promise.withResolvers<Socket | RawSocket>();
  const port = await listening(accepted.resolve, handles);
  const caller = connect({ port, host: "127.0.0.1" });
  caller.write("question");
  const taken = toNetSocket(await accepted.promise);
  expect(taken).toBeInstanceOf(Socket);
  taken.resume();
  const [question] = (await once(taken, "data")) as [Buffer];
  taken.end(`${question.toString()} answered`);
  const [answer] = (await once(caller, "data")) as [Buffer];
  expect(answer.toString()).toBe("question answered");
  caller.destroy();
  await once(taken, "close");
});

test("RawSocket: bytes that wait in the kernel are read by whoever reads later", async () => {
  const accepted = Promise.withResolvers<Socket | RawSocket>();
  const port = await listening(accepted.resolve);
  const caller = connect({ port, host: "127.0.0.1" });
  caller.end("early");
  const taken = await accepted.promise;
  if (!(taken instanceof RawSocket)) throw new Error("not raw");
  const told: string[] = [];
  const closed = Promise.withResolvers<void>();
  taken.readBy({
    onData: (chunk) => told.push(chunk.toString()) > 0,
    onEnd: () => {
      told.push("end");
      taken.end();
    },
    onDrain: () => told.push("drain"),
    onClose: closed.resolve,
  });
  taken.resume();
  await closed.promise;
  expect([told, taken.endedInOrder]).toEqual([["early", "end"], true]);
});
