/** The mesh of attacks: whoever comes from the node's own network, with any certificate, to a pod that must not notice. */
import { once } from "node:events";
import type { Server, Socket } from "node:net";
import { expect } from "@jest/globals";
import { type Craft, type Crafted, uriName } from "../fakes/crafted-ca.ts";
import {
  closeNode,
  connectFromPod,
  listenInPod,
  nextText,
  openNode,
  startFromPod,
  type TestPod,
} from "./pod-network.ts";
import { RawHttp2, startTls, type TlsAttack } from "./raw-http2.ts";
import {
  createTrafficMesh,
  type LoggedConnection,
  type TrafficMesh,
  type TrafficNode,
} from "./traffic-mesh.ts";

export const APP_PORT = 8080;
export const IDENTITY_A = "spiffe://cluster.local/ns/shop/sa/a";

export interface AttackMesh extends AsyncDisposable {
  readonly mesh: TrafficMesh;
  readonly node: TestPod;
  /** Addresses of whom the application of pod b has ever got a connection. */
  readonly seen: readonly string[];
  /** Key and certificate for `startTls`; by default those of account `a`, by the mesh's own root. */
  credentials(craft?: Craft, by?: Crafted): TlsAttack;
  /** A socket from the node's network to the tunnel port of b, whatever it is going to say. */
  dial(host?: string): Socket;
  /** HTTP/2 over TLS to the tunnel port of b. */
  tunnel(attack?: TlsAttack): RawHttp2;
  /** The same over a socket of `dial()`. */
  tunnelOver(socket: Socket, attack: TlsAttack): RawHttp2;
  /**
   * Runs the attack, then holds: it is told with this code at b once more than before, in log and metric; the
   * application saw nothing of it; and a call of pod a is still carried. Gives what was logged.
   */
  refused(code: string, attack: () => Promise<unknown>): Promise<LoggedConnection>;
  /** A call of pod a through both data planes. */
  stillServes(): Promise<void>;
}

export async function createAttackMesh(prefix: string): Promise<AttackMesh> {
  const mesh = await createTrafficMesh(prefix);
  const node = openNode(prefix, ["10.77.0.1", "fd77::1"]);
  const seen: string[] = [];
  const sockets = new Set<Socket>();
  const servers: Server[] = [];
  for (const family of [4, 6] as const) {
    servers.push(await listenInPod(mesh.network.b, { port: APP_PORT, family }, echo));
  }
  function follow(socket: Socket): Socket {
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket));
    return socket.on("error", () => undefined);
  }
  function echo(socket: Socket): void {
    seen.push(socket.remoteAddress ?? "");
    follow(socket);
    socket.on("data", (chunk) => socket.write(chunk));
    socket.on("end", () => socket.end());
  }
  function credentials(craft: Craft = {}, by: Crafted = mesh.root): TlsAttack {
    const { keyPem, chainPem } = by.issue({ names: [uriName(IDENTITY_A)], ...craft });
    return { key: keyPem, cert: chainPem };
  }
  function dial(host = mesh.network.b.v4): Socket {
    return follow(startFromPod(node, host, 15_008));
  }
  function tunnelOver(socket: Socket, attack: TlsAttack): RawHttp2 {
    return new RawHttp2(startTls(socket, attack)).greet();
  }
  async function stillServes(): Promise<void> {
    const before = seen.length;
    const socket = follow(await connectFromPod(mesh.network.a, mesh.network.b.v4, APP_PORT));
    socket.write("still here");
    expect(await nextText(socket)).toBe("still here");
    const closed = once(socket, "close");
    socket.end();
    await closed;
    const own = seen.slice(before).filter((address) => address === mesh.network.a.v4);
    expect(own).toHaveLength(1);
  }
  return {
    mesh,
    node,
    seen,
    credentials,
    dial,
    tunnel: (attack = credentials()) => tunnelOver(dial(), attack),
    tunnelOver,
    stillServes,
    async refused(code, attack) {
      const [told, counted, known] = [mesh.b.ended.length, await failed(mesh.b, code), seen.length];
      const [logged] = await Promise.all([toldOf(mesh.b, told, code), attack()]);
      expect(seen.length).toBe(known);
      await stillServes();
      expect(seen.length).toBe(known + 1);
      expect(await failed(mesh.b, code)).toBeGreaterThan(counted);
      expect(logged.outcome).toMatchObject({ carried: false, bytesSent: 0, bytesReceived: 0 });
      return logged;
    },
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      await Promise.all(servers.map((server) => once(server.close(), "close")));
      closeNode(node);
      await mesh[Symbol.asyncDispose]();
    },
  };
}

/** The first connection after the first `from` ones that ended with `code`, as soon as there is one. */
async function toldOf(node: TrafficNode, from: number, code: string): Promise<LoggedConnection> {
  // Each is looked at once: a flood ends tens of thousands.
  for (let i = from; ; i++) {
    while (i >= node.ended.length) await node.nextEnded();
    const told = node.ended[i];
    if (told?.outcome.code === code) return told;
  }
}

/** `weft_tcp_connections_failed_total` of a reason, over all its series. */
async function failed(node: TrafficNode, reason: string): Promise<number> {
  const lines = (await node.metrics()).split("\n");
  return lines
    .filter((line) => line.startsWith("weft_tcp_connections_failed_total{"))
    .filter((line) => line.includes(`reason="${reason}"`))
    .reduce((total, line) => total + Number(line.slice(line.lastIndexOf(" "))), 0);
}
