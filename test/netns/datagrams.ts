/** Plain UDP sockets inside a pod's network namespace: what an application sends and receives that the mesh must not touch. */
import { createSocket, type RemoteInfo, type Socket } from "node:dgram";
import { once } from "node:events";
import { checked, libc } from "../../nodeproxy/sys/libc.ts";
import { inNamespace } from "../../nodeproxy/sys/namespace.ts";
import { SOCKET_ADDRESS_BYTES, writeSocketAddress } from "../../nodeproxy/sys/socket-address.ts";
import type { TestPod } from "./pod-network.ts";

/** socket(2): SOCK_DGRAM, SOCK_NONBLOCK, SOCK_CLOEXEC. */
const DATAGRAMS = 2 | 0o4000 | 0o2000000;

/** Bound on every address of the family; port 0 is any. */
function openDatagrams(pod: TestPod, family: 4 | 6, port = 0): Socket {
  const fd = inNamespace(pod.namespace.fd, () =>
    checked(libc.socket(family === 4 ? 2 : 10, DATAGRAMS, 0), "socket"),
  );
  const only = Buffer.from([1, 0, 0, 0]);
  // linux/in6.h: IPV6_V6ONLY, so that both families may have the port.
  if (family === 6) checked(libc.setsockopt(fd, 41, 26, only, 4), "setsockopt");
  const address = Buffer.alloc(SOCKET_ADDRESS_BYTES);
  const any = { address: family === 4 ? "0.0.0.0" : "::", port };
  checked(libc.bind(fd, address, writeSocketAddress(address, family, any)), "bind");
  const socket = createSocket(family === 4 ? "udp4" : "udp6");
  // Listens at once: "listening" is emitted before this returns.
  socket.bind({ fd });
  return socket;
}

/** Answers each datagram with the sender's address as it sees it. */
export function answerDatagrams(pod: TestPod, family: 4 | 6, port: number): Socket {
  const socket = openDatagrams(pod, family, port);
  socket.on("message", (_message, { address, port: from }: RemoteInfo) => {
    socket.send(`seen ${address}`, from, address);
  });
  return socket;
}

/** Sends one and gives what comes back. */
export async function askByDatagram(
  pod: TestPod,
  { address, port }: { readonly address: string; readonly port: number },
): Promise<string> {
  const socket = openDatagrams(pod, address.includes(":") ? 6 : 4);
  const answer = once(socket, "message", { signal: AbortSignal.timeout(60_000) });
  socket.send("ask", port, address);
  const [message] = (await answer.finally(() => socket.close())) as [Buffer];
  return message.toString();
}
