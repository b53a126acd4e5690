import { Socket } from "node:net";
import type { TLSSocket } from "node:tls";
import { afterEach, expect, test } from "@jest/globals";
import { PodSlots } from "../flow/pod-slots.ts";
import { Handshakes } from "./handshakes.ts";

/** Of one source where none is named: a socket that is not connected has the address "". */
const sockets: Socket[] = [];

afterEach(() => {
  for (const socket of sockets.splice(0)) socket.destroy();
});

function displaced(): void {
  throw new Error("there were few");
}

function begin(handshakes: Handshakes, remoteAddress?: string): string | undefined {
  const socket = new Socket();
  if (remoteAddress !== undefined) {
    Object.defineProperty(socket, "remoteAddress", { value: remoteAddress });
  }
  sockets.push(socket);
  return handshakes.begin(socket, undefined);
}

/** As Node's TLS socket over it. */
function end(handshakes: Handshakes, socket: Socket | undefined): void {
  handshakes.end({ _parent: socket } as unknown as TLSSocket);
}

async function closed(socket: Socket | undefined): Promise<void> {
  await new Promise<void>((resolve) => {
    socket?.once("close", () => resolve()).destroy();
  });
}

test("begin(): 512 handshakes of one source at once, and one more for each that ends", () => {
  const handshakes = new Handshakes(new PodSlots(10_000), displaced);
  for (let i = 0; i < 512; i += 1) expect(begin(handshakes)).toBeUndefined();
  expect(begin(handshakes)).toBe("too_many_handshakes");
  end(handshakes, sockets[0]);
  expect(begin(handshakes)).toBeUndefined();
  expect(begin(handshakes)).toBe("too_many_handshakes");
});

test("begin(): 1,024 tunnels of one source, and one more for each that closes", async () => {
  const handshakes = new Handshakes(new PodSlots(10_000), displaced);
  for (let i = 0; i < 1_024; i += 1) {
    expect(begin(handshakes)).toBeUndefined();
    end(handshakes, sockets[i]);
  }
  expect(begin(handshakes)).toBe("too_many_tunnels");
  await closed(sockets[7]);
  expect(begin(handshakes)).toBeUndefined();
  expect(begin(handshakes)).toBe("too_many_tunnels");
});

test("begin(): a pod takes as many tunnels as it has slots, under way or open", async () => {
  const handshakes = new Handshakes(new PodSlots(2), displaced);
  expect([begin(handshakes), begin(handshakes)]).toEqual([undefined, undefined]);
  end(handshakes, sockets[0]);
  expect(begin(handshakes)).toBe("pod_tunnels_exhausted");
  await closed(sockets[0]);
  expect(begin(handshakes)).toBeUndefined();
});

test("begin(): of 1,024 that many sources have begun the oldest gives way to the next, as if it had been refused", () => {
  const gone: Socket[] = [];
  const handshakes = new Handshakes(new PodSlots(10_000), (socket, from) => {
    expect(from.remoteAddress).toBe("10.0.0.0");
    gone.push(socket);
  });
  for (let i = 0; i < 1_024; i += 1) expect(begin(handshakes, `10.0.0.${i % 8}`)).toBeUndefined();
  end(handshakes, sockets[1]);
  expect(begin(handshakes, "10.0.0.9")).toBeUndefined();
  expect(gone).toEqual([]);
  expect(begin(handshakes, "10.0.0.9")).toBeUndefined();
  expect(gone).toEqual([sockets[0]]);
  expect(handshakes.wasRefused({ _parent: sockets[0] } as unknown as TLSSocket)).toBe(true);
});
