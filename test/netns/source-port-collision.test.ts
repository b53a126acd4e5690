/**
 * A caller's own connection to a pod, and Weft's connections to the application in the caller's name: with
 * one and the same source port they are two, and both go on.
 *
 *   caller:40000 ─ eth0 ─► 15006          the caller's own, plaintext
 *   caller:40000 ─ lo ───► application    Weft's, for a call that came by tunnel
 */
import type { Socket } from "node:net";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { runInNamespace } from "../../nodeproxy/capture/run-in-namespace.ts";
import { APP_PORT, type AttackMesh, createAttackMesh } from "./attack-mesh.ts";
import { connectFromPod, nextText } from "./pod-network.ts";
import { connectTo, FRAME, frame, headers, RawHttp2, startTls } from "./raw-http2.ts";
import { enrolment } from "./traffic-mesh.ts";

/** Ports that the caller may choose of, and Weft in its name: the caller's, and as many again. */
const FIRST = 40_000;
const COUNT = 10;
let attacks: AttackMesh;

beforeAll(async () => {
  attacks = await createAttackMesh("wt-ports");
  const { mesh, node } = attacks;
  const modes = { default: "PERMISSIVE" as const, ports: [] };
  mesh.put(enrolment(mesh.network.b, "b", { modes }));
  await allowPorts(node.namespace, COUNT);
  await allowPorts(mesh.network.b.namespace, 2 * COUNT);
});

afterAll(async () => {
  await attacks[Symbol.asyncDispose]();
});

async function allowPorts(
  namespace: AttackMesh["node"]["namespace"],
  count: number,
): Promise<void> {
  const range = `net.ipv4.ip_local_port_range=${FIRST} ${FIRST + count - 1}`;
  expect((await runInNamespace(namespace, ["sysctl", "-qw", range])).code).toBe(0);
}

for (const family of ["v4", "v6"] as const) {
  test(`source ports: ${family} calls by tunnel harm no connection of the caller's own with the same port`, async () => {
    const { mesh, node, seen } = attacks;
    const address = mesh.network.b[family];
    const own: Socket[] = [];
    const lost: string[] = [];
    for (let i = 0; i < COUNT; i++) {
      const socket = await connectFromPod(node, address, APP_PORT);
      socket.on("error", (error) => lost.push(error.message));
      socket.write("first");
      expect(await nextText(socket)).toBe("first");
      own.push(socket);
    }
    // Every port of the caller's range is taken, and Weft's first ten of twenty.
    expect(new Set(own.map((socket) => socket.localPort)).size).toBe(COUNT);
    const tunnel = new RawHttp2(startTls(attacks.dial(address), attacks.credentials())).greet();
    const authority = family === "v4" ? `${address}:${APP_PORT}` : `[${address}]:${APP_PORT}`;
    for (let i = 0; i < COUNT; i++) {
      const stream = 2 * i + 1;
      tunnel.send(headers(stream, connectTo(authority)));
      expect(await tunnel.answer(stream)).toBe(200);
    }
    // Now Weft has each of the twenty, the caller's ten among them.
    expect(seen.filter((from) => from === node[family])).toHaveLength(2 * COUNT);
    for (const socket of own) {
      socket.write("still");
      expect(await nextText(socket)).toBe("still");
    }
    for (let i = 0; i < COUNT; i++) {
      const stream = 2 * i + 1;
      tunnel.send(frame([FRAME.data, 0, stream], Buffer.from(`tunnel ${i}`)));
      expect(await tunnel.text(stream)).toBe(`tunnel ${i}`);
    }
    expect(lost).toEqual([]);
    tunnel.destroy();
    for (const socket of own) socket.destroy();
  });
}
