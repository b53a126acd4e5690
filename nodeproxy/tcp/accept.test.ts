import { once } from "node:events";
import type { AddressInfo, Server } from "node:net";
import { setImmediate as nextTurn } from "node:timers/promises";
import { afterEach, expect, test } from "@jest/globals";
import { closeDescriptor } from "../sys/descriptor.ts";
import { libc } from "../sys/libc.ts";
import { SOCKET_ADDRESS_BYTES, writeSocketAddress } from "../sys/socket-address.ts";
import { createRawServer } from "./accept.ts";
import { findHandles, type KnownHandles, streamHandles } from "./handles.ts";

const AF_INET = 2;
const SOCK_STREAM_NONBLOCK_CLOEXEC = 1 | 0o4000 | 0o2000000;
const CALLERS = 30;
const KINDS: readonly (readonly [string, KnownHandles])[] = [
  ["raw sockets", streamHandles()],
  ["sockets of a Node whose handles are not known", findHandles("20.0.0")],
];

const servers: Server[] = [];
const callers: number[] = [];

afterEach(async () => {
  for (const fd of callers.splice(0)) closeDescriptor(fd);
  await Promise.all(servers.splice(0).map((server) => once(server.close(), "close")));
});

/** The kernel takes it by itself: it waits in the listener's queue once this returns. */
function call(port: number): void {
  const fd = libc.socket(AF_INET, SOCK_STREAM_NONBLOCK_CLOEXEC, 0);
  const address = Buffer.alloc(SOCKET_ADDRESS_BYTES);
  libc.connect(fd, address, writeSocketAddress(address, 4, { address: "127.0.0.1", port }));
  callers.push(fd);
}

for (const [kind, handles] of KINDS) {
  test(`createRawServer(): ${kind}: a listener takes one connection in a turn of the loop, however many wait`, async () => {
    const taken = [0, 0];
    for (const i of taken.keys()) {
      const server = createRawServer((socket) => {
        taken[i] = (taken[i] ?? 0) + 1;
        socket.destroy();
      }, handles);
      servers.push(server);
      await once(server.listen(0, "127.0.0.1"), "listening");
    }
    const [flooded, other] = servers.map((server) => (server.address() as AddressInfo).port);
    for (let i = 0; i < CALLERS; i += 1) call(flooded ?? 0);
    call(other ?? 0);
    const turns: number[] = [];
    let beforeOther = CALLERS;
    for (let before = 0; before < CALLERS; ) {
      await nextTurn();
      const [now = 0] = taken;
      turns.push(now - before);
      before = now;
      if (taken[1] === 1) beforeOther = Math.min(beforeOther, now);
    }
    expect(Math.max(...turns)).toBe(1);
    // Who comes to another pod waits for one or two of the flood, not for all.
    expect(beforeOther).toBeLessThan(3);
  });
}
