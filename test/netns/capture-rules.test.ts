/** The rules of a captured pod in real network namespaces: what they redirect, what they leave alone. */
import { once } from "node:events";
import type { Server, Socket } from "node:net";
import { Socket as NetSocket } from "node:net";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { NOTHING_EXCLUDED } from "../../core/model/capture-exclusions.ts";
import { parseCidr } from "../../core/model/ip.ts";
import {
  applyRules,
  areRedirected,
  brokenFamilies,
  removeRules,
  stopRedirecting,
} from "../../nodeproxy/capture/apply-rules.ts";
import { auditRules } from "../../nodeproxy/capture/audit.ts";
import { inspectNamespace, runningConnections } from "../../nodeproxy/capture/inspect-namespace.ts";
import { runInNamespace } from "../../nodeproxy/capture/run-in-namespace.ts";
import { originalDestination } from "../../nodeproxy/sys/original-destination.ts";
import { openOutboundSocket, openTransparentSocket } from "../../nodeproxy/sys/tcp-socket.ts";
import {
  connectFromPod,
  createPodNetwork,
  descriptorOf,
  listenInPod,
  nextText,
  type PodNetwork,
  startFromPod,
} from "./pod-network.ts";

const BOTH = { possible: [4, 6], required: [4, 6], exclusions: NOTHING_EXCLUDED } as const;
const APP_PORT = 8080;

let network: PodNetwork;
const servers: Server[] = [];
const sockets = new Set<Socket>();

beforeAll(async () => {
  network = createPodNetwork("wc-rules");
  for (const family of [4, 6] as const) {
    // Applications name the address they see; listeners of Weft name port and original destination.
    for (const pod of [network.a, network.b]) {
      servers.push(
        await listenInPod(pod, { port: APP_PORT, family }, (socket) => {
          follow(socket).write(`app ${socket.remoteAddress}`);
          socket.on("data", (chunk) => socket.write(chunk));
        }),
      );
      for (const port of [15001, 15006, 15008]) {
        servers.push(
          await listenInPod(pod, { port, family }, (socket) => {
            const original = originalDestination(descriptorOf(socket), family);
            follow(socket).write(`${port} ${original.address} ${original.port}`);
          }),
        );
      }
    }
  }
});

afterAll(async () => {
  for (const socket of sockets) socket.destroy();
  await Promise.all(servers.map((server) => once(server.close(), "close")));
  await network[Symbol.asyncDispose]();
});

function follow(socket: Socket): Socket {
  sockets.add(socket);
  socket.on("error", () => socket.destroy());
  socket.on("close", () => sockets.delete(socket));
  return socket;
}

async function greeting(socket: Socket): Promise<string> {
  const text = await nextText(follow(socket));
  socket.destroy();
  return text;
}

test("applyRules(): redirects what the pod opens and what it is sent, both families, with the original destination", async () => {
  const { a, b } = network;
  await applyRules(a.namespace, BOTH);
  for (const address of [b.v4, b.v6]) {
    expect(await greeting(startFromPod(a, address, APP_PORT))).toBe(`15001 ${address} 8080`);
  }
  for (const address of [a.v4, a.v6]) {
    expect(await greeting(startFromPod(b, address, APP_PORT))).toBe(`15006 ${address} 8080`);
    expect(await greeting(startFromPod(b, address, 15008))).toBe(`15008 ${address} 15008`);
    expect(await greeting(startFromPod(b, address, 15001))).toBe(`15006 ${address} 15001`);
  }
});

test("applyRules(): leaves alone what the pod says to itself, and leads to the gate", async () => {
  const { a } = network;
  await applyRules(a.namespace, BOTH);
  expect(await greeting(startFromPod(a, "127.0.0.1", APP_PORT))).toBe("app 127.0.0.1");
  expect(await greeting(startFromPod(a, a.v4, APP_PORT))).toBe(`app ${a.v4}`);
  expect(await greeting(startFromPod(a, "::1", APP_PORT))).toBe("app ::1");
  expect(await greeting(startFromPod(a, a.v6, APP_PORT))).toBe(`app ${a.v6}`);
  for (const gate of ["169.254.7.1", "fd16:9254:7::1"]) {
    expect(await greeting(startFromPod(a, gate, 15021))).toBe(`15001 ${gate} 15021`);
  }
});

test("applyRules(): what is excluded goes past, everything else does not, and the next rules forget it", async () => {
  const { a, b } = network;
  const outboundBlocks = [`${b.v6}/128`].flatMap((text) => parseCidr(text) ?? []);
  const none = NOTHING_EXCLUDED;
  await applyRules(a.namespace, { ...BOTH, exclusions: { ...none, outboundBlocks } });
  expect(await greeting(startFromPod(a, b.v6, APP_PORT))).toBe(`app ${a.v6}`);
  expect(await greeting(startFromPod(a, b.v4, APP_PORT))).toBe(`15001 ${b.v4} 8080`);
  await applyRules(a.namespace, { ...BOTH, exclusions: { ...none, outboundPorts: [APP_PORT] } });
  expect(await greeting(startFromPod(a, b.v4, APP_PORT))).toBe(`app ${a.v4}`);
  expect(await greeting(startFromPod(b, a.v4, APP_PORT))).toBe(`15006 ${a.v4} 8080`);
  await applyRules(a.namespace, { ...BOTH, exclusions: { ...none, inboundPorts: [APP_PORT] } });
  expect(await greeting(startFromPod(b, a.v4, APP_PORT))).toBe(`app ${b.v4}`);
  expect(await greeting(startFromPod(a, b.v4, APP_PORT))).toBe(`15001 ${b.v4} 8080`);
  await applyRules(a.namespace, BOTH);
  expect(await greeting(startFromPod(b, a.v4, APP_PORT))).toBe(`15006 ${a.v4} 8080`);
});

test("applyRules(): the gate is reached in a pod without a default route", async () => {
  const { a } = network;
  await runInNamespace(a.namespace, ["ip", "route", "del", "default"]);
  await runInNamespace(a.namespace, ["ip", "-6", "route", "del", "default"]);
  await applyRules(a.namespace, BOTH);
  for (const gate of ["169.254.7.1", "fd16:9254:7::1"]) {
    expect(await greeting(startFromPod(a, gate, 15021))).toBe(`15001 ${gate} 15021`);
  }
});

test("openOutboundSocket(): the mark keeps a connection from being redirected", async () => {
  const { a, b } = network;
  await applyRules(a.namespace, BOTH);
  for (const [family, host] of [[4, b.v4] as const, [6, b.v6] as const]) {
    const fd = openOutboundSocket({ namespace: a.namespace, family });
    const socket = new NetSocket({ fd }).connect({ host, port: APP_PORT });
    expect(await greeting(socket)).toBe(`app ${family === 4 ? a.v4 : a.v6}`);
  }
});

test("openTransparentSocket(): the application sees the caller, and its answers come back", async () => {
  const { a, b } = network;
  await applyRules(a.namespace, BOTH);
  for (const [family, caller, host] of [[4, b.v4, a.v4] as const, [6, b.v6, a.v6] as const]) {
    const fd = openTransparentSocket({ namespace: a.namespace, family }, caller);
    const socket = follow(new NetSocket({ fd }).connect({ host, port: APP_PORT }));
    expect(await nextText(socket)).toBe(`app ${caller}`);
    socket.write("ping");
    expect(await nextText(socket)).toBe("ping");
    socket.destroy();
  }
});

test("applyRules() and stopRedirecting(): connections that run live on, both ways, and are counted", async () => {
  const { a, b } = network;
  const others = [...sockets].map((socket) => once(socket.destroy(), "close"));
  await Promise.all(others);
  await removeRules(a.namespace, [4, 6]);
  const out = follow(await connectFromPod(a, b.v4, APP_PORT));
  const into = follow(await connectFromPod(b, a.v6, APP_PORT));
  await Promise.all([nextText(out), nextText(into)]);
  const running = await runningConnections(a.namespace);
  expect(running.size).toBe(2);
  await applyRules(a.namespace, BOTH);
  for (const socket of [out, into]) {
    socket.write("still");
    expect(await nextText(socket)).toBe("still");
  }
  const fd = openTransparentSocket({ namespace: a.namespace, family: 4 }, b.v4);
  const carried = follow(new NetSocket({ fd }).connect({ host: a.v4, port: APP_PORT }));
  await nextText(carried);
  const redirected = follow(startFromPod(a, b.v4, APP_PORT));
  await nextText(redirected);
  await stopRedirecting(a.namespace, [4, 6]);
  carried.write("on");
  expect(await nextText(carried)).toBe("on");
  expect(redirected.destroyed).toBe(false);
  out.write("and on");
  expect(await nextText(out)).toBe("and on");
  expect(await greeting(startFromPod(a, b.v4, APP_PORT))).toBe(`app ${a.v4}`);
  expect(await areRedirected(a.namespace, [4, 6])).toBe(false);
});

test("removeRules(): leaves no trace, and someone else's rules", async () => {
  const { b } = network;
  const other = ["iptables", "-t", "nat", "-A", "OUTPUT", "-d", "10.9.9.9", "-j", "ACCEPT"];
  await runInNamespace(b.namespace, other);
  await applyRules(b.namespace, BOTH);
  await applyRules(b.namespace, BOTH);
  expect(await areRedirected(b.namespace, [4, 6])).toBe(true);
  await removeRules(b.namespace, [4, 6]);
  for (const program of ["iptables-save", "ip6tables-save"]) {
    expect((await runInNamespace(b.namespace, [program])).stdout).not.toContain("WEFT");
  }
  expect((await runInNamespace(b.namespace, ["iptables-save"])).stdout).toContain("10.9.9.9");
  for (const family of ["-4", "-6"]) {
    const { stdout } = await runInNamespace(b.namespace, ["ip", family, "rule", "show"]);
    expect(stdout).not.toContain("0x111");
  }
});

test("auditRules(): puts back what was flushed, what no longer stands first, and the return route", async () => {
  const { a } = network;
  const damages = [
    ["iptables", "-t", "nat", "-F", "WEFT_OUTPUT"],
    ["ip6tables", "-t", "nat", "-I", "OUTPUT", "-j", "ACCEPT"],
    ["iptables", "-t", "mangle", "-F"],
    ["ip", "rule", "del", "pref", "15100"],
  ];
  let applied = await applyRules(a.namespace, BOTH);
  expect(await brokenFamilies(a.namespace, applied)).toEqual([]);
  for (const damage of damages) {
    expect((await runInNamespace(a.namespace, damage)).code).toBe(0);
    const outcome = await auditRules(a.namespace, applied, [4, 6]);
    expect(outcome.repaired).toHaveLength(1);
    applied = outcome.rules;
    expect(await brokenFamilies(a.namespace, applied)).toEqual([]);
  }
});

test("inspectNamespace(): the pod's addresses, without loopback", async () => {
  const { a } = network;
  const { addresses, families } = await inspectNamespace(a.namespace);
  expect(addresses).toEqual(expect.arrayContaining([a.v4, a.v6]));
  expect(addresses).not.toContain("127.0.0.1");
  expect(families).toEqual([4, 6]);
});
