/** Two pods on a node's bridge, as real network namespaces, with both families; and plain sockets inside them. */
import { execFileSync } from "node:child_process";
import { once } from "node:events";
import { createServer, type Server, Socket } from "node:net";
import { closeDescriptor } from "../../nodeproxy/sys/descriptor.ts";
import { checked, libc } from "../../nodeproxy/sys/libc.ts";
import {
  inNamespace,
  type NetworkNamespace,
  openNamespace,
} from "../../nodeproxy/sys/namespace.ts";
import { openListeningSocket } from "../../nodeproxy/sys/tcp-socket.ts";

export interface TestPod {
  readonly name: string;
  readonly path: string;
  readonly v4: string;
  readonly v6: string;
  readonly namespace: NetworkNamespace;
}

export interface PodNetwork extends AsyncDisposable {
  readonly a: TestPod;
  readonly b: TestPod;
}

/** `prefix` keeps test files apart. Everything made is removed by disposal. */
export function createPodNetwork(prefix: string): PodNetwork {
  const node = `${prefix}-node`;
  removeAll(prefix);
  ip(`netns add ${node}`);
  ip(`-n ${node} link set lo up`);
  ip(`-n ${node} link add br0 type bridge`);
  ip(`-n ${node} addr add 10.77.0.1/24 dev br0`);
  ip(`-n ${node} addr add fd77::1/64 dev br0 nodad`);
  ip(`-n ${node} link set br0 up`);
  const a = addPod(`${prefix}-a`, node, 2);
  const b = addPod(`${prefix}-b`, node, 3);
  return {
    a,
    b,
    async [Symbol.asyncDispose]() {
      for (const pod of [a, b]) closeDescriptor(pod.namespace.fd);
      removeAll(prefix);
    },
  };
}

/** The node itself as a place to connect from: where kubelet, and whoever is masqueraded, comes from. */
export function openNode(prefix: string, addresses: readonly string[]): TestPod {
  const name = `${prefix}-node`;
  const path = `/run/netns/${name}`;
  const [v4 = "", v6 = ""] = addresses;
  return { name, path, v4, v6, namespace: openNamespace(path) };
}

export function closeNode(node: TestPod): void {
  closeDescriptor(node.namespace.fd);
}

/** A server of the pod's own, on every address of the family. */
export async function listenInPod(
  pod: TestPod,
  { port, family }: { readonly port: number; readonly family: 4 | 6 },
  onConnection: (socket: Socket) => void,
): Promise<Server> {
  const server = createServer({ allowHalfOpen: true }, onConnection);
  server.listen({ fd: openListeningSocket({ namespace: pod.namespace, family }, port) });
  await once(server, "listening");
  return server;
}

/** What an application of the pod does: a socket without mark. Resolves once connected. */
export async function connectFromPod(pod: TestPod, host: string, port: number): Promise<Socket> {
  const socket = startFromPod(pod, host, port);
  await once(socket, "connect");
  return socket;
}

export function startFromPod(pod: TestPod, host: string, port: number): Socket {
  const domain = host.includes(":") ? 10 : 2;
  const fd = inNamespace(pod.namespace.fd, () =>
    checked(libc.socket(domain, 1 | 0o4000 | 0o2000000, 0), "socket"),
  );
  return new Socket({ fd, allowHalfOpen: true }).connect({ host, port });
}

/** The next text that arrives. */
export async function nextText(socket: Socket): Promise<string> {
  const [chunk] = (await once(socket, "data")) as [Buffer];
  return chunk.toString();
}

/** Whether the far side says something, or the connection fails before; it is ended then. */
export async function isAnswered(socket: Socket): Promise<boolean> {
  const isIt = await Promise.race([
    nextText(socket).then(() => true),
    once(socket, "error").then(() => false),
  ]).catch(() => false);
  if (isIt) socket.end();
  else socket.destroy();
  return isIt;
}

export function descriptorOf(socket: Socket): number {
  return (socket as unknown as { readonly _handle: { readonly fd: number } })._handle.fd;
}

function ip(command: string): string {
  return execFileSync("ip", command.split(" "), { encoding: "utf8" });
}

function addPod(name: string, node: string, host: number): TestPod {
  const end = `v${host}`;
  ip(`netns add ${name}`);
  ip(`-n ${node} link add ${end} type veth peer name eth0 netns ${name}`);
  ip(`-n ${node} link set ${end} master br0 up`);
  ip(`-n ${name} link set lo up`);
  ip(`-n ${name} addr add 10.77.0.${host}/24 dev eth0`);
  ip(`-n ${name} addr add fd77::${host}/64 dev eth0 nodad`);
  ip(`-n ${name} link set eth0 up`);
  ip(`-n ${name} route add default via 10.77.0.1`);
  ip(`-n ${name} -6 route add default via fd77::1`);
  const path = `/run/netns/${name}`;
  const [v4, v6] = [`10.77.0.${host}`, `fd77::${host}`];
  return { name, path, v4, v6, namespace: openNamespace(path) };
}

function removeAll(prefix: string): void {
  const names = ip("netns list")
    .split("\n")
    .map((line) => line.split(" ")[0] ?? "");
  for (const name of names) if (name.startsWith(`${prefix}-`)) ip(`netns delete ${name}`);
}
