/** What is not TCP, and what a pod says to itself, never meets a redirect: counted by the packet filter itself. */
import { createSocket } from "node:dgram";
import { once } from "node:events";
import type { Server, Socket } from "node:net";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { NOTHING_EXCLUDED } from "../../core/model/capture-exclusions.ts";
import { applyRules } from "../../nodeproxy/capture/apply-rules.ts";
import { runInNamespace } from "../../nodeproxy/capture/run-in-namespace.ts";
import { checked, libc } from "../../nodeproxy/sys/libc.ts";
import { inNamespace } from "../../nodeproxy/sys/namespace.ts";
import { answerDatagrams, askByDatagram } from "./datagrams.ts";
import {
  createPodNetwork,
  listenInPod,
  nextText,
  type PodNetwork,
  startFromPod,
  type TestPod,
} from "./pod-network.ts";

const BOTH = { possible: [4, 6], required: [4, 6], exclusions: NOTHING_EXCLUDED } as const;
const APP = 8080;
/** DNS, QUIC, and the ports that are the mesh's own by TCP. */
const UDP_PORTS = [53, 443, 15_001, 15_006, 15_008, 15_009];
const DNS = 53;
const ROUNDS = 20;

let network: PodNetwork;
const servers: Server[] = [];
const sockets: Socket[] = [];

beforeAll(async () => {
  network = createPodNetwork("wc-alone");
  for (const family of [4, 6] as const) {
    for (const [pod, port] of [
      [network.a, APP],
      [network.b, APP],
      [network.b, DNS],
    ] as const) {
      const server = await listenInPod(pod, { port, family }, (socket) => {
        sockets.push(socket);
        socket.on("error", () => undefined);
        socket.end(`from ${socket.remoteAddress}`);
      });
      servers.push(server);
    }
  }
  await applyRules(network.a.namespace, BOTH);
});

afterAll(async () => {
  for (const socket of sockets) socket.destroy();
  await Promise.all(servers.map((server) => once(server.close(), "close")));
  await network[Symbol.asyncDispose]();
});

/** Packets that any rule has redirected or rejected so far, both families. */
async function redirected(): Promise<number> {
  let packets = 0;
  for (const program of ["iptables-nft-save", "ip6tables-nft-save"]) {
    const { stdout } = await runInNamespace(network.a.namespace, [program, "-c"]);
    for (const line of stdout.split("\n").filter((rule) => / -j (?:REDIRECT|REJECT)/.test(rule))) {
      packets += Number(/^\[(\d+):/.exec(line)?.[1] ?? Number.NaN);
    }
  }
  return packets;
}

for (const family of [4, 6] as const) {
  const key = family === 4 ? "v4" : "v6";

  test(`left alone: UDP by IPv${family}, both ways, to whatever port, with the sender's own address`, async () => {
    const { a, b } = network;
    const before = await redirected();
    for (const port of UDP_PORTS) {
      const [inA, inB] = [answerDatagrams(a, family, port), answerDatagrams(b, family, port)];
      for (let round = 0; round < ROUNDS; round += 1) {
        expect(await askByDatagram(a, { address: b[key], port })).toBe(`seen ${a[key]}`);
        expect(await askByDatagram(b, { address: a[key], port })).toBe(`seen ${b[key]}`);
      }
      for (const socket of [inA, inB]) socket.close();
    }
    expect(await redirected()).toBe(before);
  });

  test(`left alone: ICMP by IPv${family}, both ways`, async () => {
    const { a, b } = network;
    const before = await redirected();
    for (const [from, to] of [
      [a, b],
      [b, a],
    ] as const) {
      expect(await ping(from, to[key])).toBe(true);
    }
    expect(await redirected()).toBe(before);
  });

  test(`left alone: what a pod says to itself by IPv${family}, TCP and UDP`, async () => {
    const { a } = network;
    const loopback = family === 4 ? "127.0.0.1" : "::1";
    const before = await redirected();
    const udp = answerDatagrams(a, family, APP);
    for (const address of [loopback, a[key]]) {
      for (let round = 0; round < ROUNDS; round += 1) {
        const socket = startFromPod(a, address, APP);
        expect(await nextText(socket)).toBe(`from ${address}`);
        socket.destroy();
        expect(await askByDatagram(a, { address, port: APP })).toBe(`seen ${address}`);
      }
    }
    udp.close();
    expect(await redirected()).toBe(before);
  });
}

test("left alone: and the counters do count, one packet for each connection", async () => {
  const { a, b } = network;
  const before = await redirected();
  for (const address of [b.v4, b.v6]) {
    const socket = startFromPod(a, address, APP);
    await once(socket, "error");
  }
  expect(await redirected()).toBe(before + 2);
});

for (const family of ["v4", "v6"] as const) {
  test(`left alone: the cluster's DNS by ${family}, TCP as UDP, with no node proxy at all; nothing else of it`, async () => {
    const { a, b } = network;
    const dnsAddresses = [b[family]];
    await applyRules(a.namespace, { ...BOTH, exclusions: { ...NOTHING_EXCLUDED, dnsAddresses } });
    const socket = startFromPod(a, b[family], DNS);
    expect(await nextText(socket)).toBe(`from ${a[family]}`);
    socket.destroy();
    const udp = answerDatagrams(b, family === "v4" ? 4 : 6, DNS);
    expect(await askByDatagram(a, { address: b[family], port: DNS })).toBe(`seen ${a[family]}`);
    udp.close();
    const [error] = (await once(startFromPod(a, b[family], APP), "error")) as [Error];
    expect(error.message).toContain("ECONNREFUSED");
    const other = family === "v4" ? b.v6 : b.v4;
    const [otherError] = (await once(startFromPod(a, other, DNS), "error")) as [Error];
    expect(otherError.message).toContain("ECONNREFUSED");
  });
}

/** icmp(7): a socket that sends echo requests without being root's raw one. */
async function ping(from: TestPod, address: string): Promise<boolean> {
  const isV6 = address.includes(":");
  const groups = "net.ipv4.ping_group_range=0 0";
  expect((await runInNamespace(from.namespace, ["sysctl", "-qw", groups])).code).toBe(0);
  const [domain, protocol] = isV6 ? [10, 58] : [2, 1];
  const fd = inNamespace(from.namespace.fd, () =>
    checked(libc.socket(domain, 2 | 0o4000 | 0o2000000, protocol), "socket"),
  );
  const socket = createSocket(isV6 ? "udp6" : "udp4");
  socket.bind({ fd });
  const answer = once(socket, "message", { signal: AbortSignal.timeout(60_000) });
  // Echo request: type, code, and a sequence number; the kernel fills in the checksum. A port means nothing.
  const request = Buffer.from([isV6 ? 128 : 8, 0, 0, 0, 0, 0, 0, 1]);
  socket.send(request, 1, address);
  const [message] = (await answer.finally(() => socket.close())) as [Buffer];
  return message[0] === (isV6 ? 129 : 0);
}
