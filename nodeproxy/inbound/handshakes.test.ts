import { Socket } from "node:net";
import type { TLSSocket } from "node:tls";
import { afterEach, expect, test } from "@jest/globals";
import { PodSlots } from "../flow/pod-slots.ts";
import { Handshakes } from "./handshakes.ts";

/** All of one source: a socket that is not connected has the address "". */
const sockets: Socket[] = [];

afterEach(() => {
  for (const socket of sockets.splice(0)) socket.destroy();
});

function begin(handshakes: Handshakes): string | undefined {
  const socket = new Socket();
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
  const handshakes = new Handshakes(new PodSlots(10_000));
  for (let i = 0; i < 512; i += 1) expect(begin(handshakes)).toBeUndefined();
  expect(begin(handshakes)).toBe("too_many_handshakes");
  end(handshakes, sockets[0]);
  expect(begin(handshakes)).toBeUndefined();
  expect(begin(handshakes)).toBe("too_many_handshakes");
});

test("begin(): 1,024 tunnels of one source, and one more for each that closes", async () => {
  const handshakes = new Handshakes(new PodSlots(10_000));
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
  const handshakes = new Handshakes(new PodSlots(2));
  expect([begin(handshakes), begin(handshakes)]).toEqual([undefined, undefined]);
  end(handshakes, sockets[0]);
  expect(begin(handshakes)).toBe("pod_tunnels_exhausted");
  await closed(sockets[0]);
  expect(begin(handshakes)).toBeUndefined();
});
