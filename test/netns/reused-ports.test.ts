/**
 * A port that the node proxy dialled from is free again when the far side resets, and the pod's next connection to the
 * same address may get it: conntrack still knows the proxy's for ten seconds, and must not take the pod's for that.
 */
import { once } from "node:events";
import type { Server, Socket } from "node:net";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { runInNamespace } from "../../nodeproxy/capture/run-in-namespace.ts";
import { listenInPod, nextText, startFromPod } from "./pod-network.ts";
import { createTrafficMesh, enrolment, type TrafficMesh, workload } from "./traffic-mesh.ts";

const PORT = 8080;
/** Of which the kernel chooses in the caller's pod; so each is chosen again and again. */
const PORTS = "40000 40039";
const CALLS = 60;
let mesh: TrafficMesh;
const servers: Server[] = [];
let isResetting = true;

beforeAll(async () => {
  mesh = await createTrafficMesh("wt-reuse");
  for (const family of [4, 6] as const) {
    servers.push(await listenInPod(mesh.network.b, { port: PORT, family }, answer));
  }
  const range = ["sysctl", "-qw", `net.ipv4.ip_local_port_range=${PORTS}`];
  const done = await runInNamespace(mesh.network.a.namespace, range);
  if (done.code !== 0) throw new Error(range.join(" "));
});

afterAll(async () => {
  for (const server of servers) await once(server.close(), "close");
  await mesh[Symbol.asyncDispose]();
});

function answer(socket: Socket): void {
  socket.on("error", () => undefined);
  if (isResetting) {
    socket.resetAndDestroy();
    return;
  }
  socket.write("hello");
  socket.on("end", () => socket.end());
  socket.resume();
}

function setTunnelled(tunnel: boolean): void {
  const modes = { default: tunnel ? "STRICT" : "PERMISSIVE", ports: [] } as const;
  mesh.put(
    workload(mesh.network.b, "b", { tunnel, modes }),
    enrolment(mesh.network.b, "b", { modes }),
  );
}

test.each(["v4", "v6"] as const)(
  "reused ports: none of the pod's connections goes past the node proxy over %s",
  async (family) => {
    const address = mesh.network.b[family];
    isResetting = true;
    setTunnelled(false);
    for (let i = 0; i < CALLS; i += 1) {
      const socket = startFromPod(mesh.network.a, address, PORT);
      socket.on("error", () => undefined);
      await new Promise((resolve) => socket.once("close", resolve));
    }
    isResetting = false;
    setTunnelled(true);
    const logged = mesh.b.ended.length;
    for (let i = 0; i < CALLS; i += 1) {
      const socket = startFromPod(mesh.network.a, address, PORT);
      expect(await nextText(socket)).toBe("hello");
      // So that its port is free for the next.
      socket.resetAndDestroy();
    }
    const plaintext = mesh.b.ended.slice(logged).filter(({ facts }) => !facts.tunnelled);
    expect(plaintext).toEqual([]);
  },
);
