/** A pod's namespace and Weft's listening sockets in it: opening them, closing them, asking whether they answer. */
import { openSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";
import type { Enrolment } from "../../core/model/enrolment.ts";
import type { KeptPod } from "../channel/kept-descriptors.ts";
import { closeDescriptor } from "../sys/descriptor.ts";
import { SysError } from "../sys/libc.ts";
import { adoptNamespace, type NetworkNamespace } from "../sys/namespace.ts";
import { openListeningSocket, waitingConnections } from "../sys/tcp-socket.ts";
import type { NamespaceCandidate } from "./find-namespace.ts";
import { inspectNamespace } from "./inspect-namespace.ts";
import { LISTENING_PORTS } from "./ports.ts";

export interface PodSockets {
  readonly namespace: NetworkNamespace;
  /** That have listeners. IPv6 has them wherever the kernel can, also before the pod has such an address. */
  readonly families: readonly (4 | 6)[];
  /** For each family 15001, 15006, 15008. */
  readonly listeners: readonly number[];
}

export type OpenedPod =
  | { readonly kind: "opened"; readonly sockets: PodSockets }
  | {
      readonly kind: "pending" | "failed";
      readonly reason: string;
      readonly message: string;
    };

/** Opens the first candidate that has one of the pod's own addresses. */
export async function openPod(
  enrolment: Enrolment,
  candidates: readonly NamespaceCandidate[],
): Promise<OpenedPod> {
  if (candidates.length === 0) {
    const message = "no process of the pod runs in a network namespace of its own yet";
    return { kind: "pending", reason: "namespace_not_found", message };
  }
  for (const candidate of candidates) {
    const namespace = openCandidate(candidate);
    if (!namespace) continue;
    const { addresses } = await inspectNamespace(namespace);
    if (enrolment.addresses.some((address) => addresses.includes(address))) {
      return openListeners(namespace);
    }
    closeDescriptor(namespace.fd);
  }
  const message = `no network namespace of the pod has ${enrolment.addresses.join(" or ")} yet`;
  return { kind: "pending", reason: "address_not_configured", message };
}

/** Sockets that the keeper held while this process was away. */
export function adoptSockets({ families, descriptors }: KeptPod): PodSockets {
  const [namespaceFd = -1, ...listeners] = descriptors;
  return { namespace: adoptNamespace(namespaceFd), families, listeners };
}

export function keptPodOf(uid: string, sockets: PodSockets): KeptPod {
  const { namespace, families } = sockets;
  return { uid, inode: namespace.inode, families, descriptors: descriptorsOf(sockets) };
}

/** In the order of a `pod` message. */
export function descriptorsOf({ namespace, listeners }: PodSockets): readonly number[] {
  return [namespace.fd, ...listeners];
}

export function closeSockets(sockets: PodSockets): void {
  for (const fd of descriptorsOf(sockets)) closeDescriptor(fd);
}

const QUEUE_LOOKS = 20;
const QUEUE_LOOK_MS = 50;

/**
 * Whether somebody accepts what the listeners get. Answers at once where nothing waits; a queue that
 * only grows for a second has nobody who takes from it.
 */
export async function areAnswered({ listeners }: PodSockets): Promise<boolean> {
  let silent = new Map(listeners.map((fd) => [fd, waitingConnections(fd)]));
  if ([...silent.values()].some((waiting) => waiting < 0)) return false;
  silent = new Map([...silent].filter(([, waiting]) => waiting > 0));
  for (let look = 0; look < QUEUE_LOOKS && silent.size > 0; look += 1) {
    await delay(QUEUE_LOOK_MS);
    silent = new Map(
      [...silent].flatMap(([fd, before]) => {
        const waiting = waitingConnections(fd);
        return waiting >= before ? [[fd, waiting] as const] : [];
      }),
    );
  }
  return silent.size === 0;
}

/** The process behind the path may have ended, and another may have got its number. */
function openCandidate({ path, inode }: NamespaceCandidate): NetworkNamespace | undefined {
  try {
    const namespace = adoptNamespace(openSync(path, "r"));
    if (namespace.inode === inode) return namespace;
    closeDescriptor(namespace.fd);
    return undefined;
  } catch (error) {
    if (error instanceof SysError) throw error;
    return undefined;
  }
}

function openListeners(namespace: NetworkNamespace): OpenedPod {
  const listeners: number[] = [];
  const families: (4 | 6)[] = [];
  try {
    for (const family of [4, 6] as const) {
      if (!canOpen(namespace, family)) continue;
      families.push(family);
      for (const port of LISTENING_PORTS) {
        listeners.push(openListeningSocket({ namespace, family }, port));
      }
    }
    return { kind: "opened", sockets: { namespace, families, listeners } };
  } catch (error) {
    for (const fd of [...listeners, namespace.fd]) closeDescriptor(fd);
    if (!(error instanceof SysError)) throw error;
    const isTaken = error.code === "EADDRINUSE";
    const reason = isTaken ? "port_in_use" : "listen_failed";
    const ports = LISTENING_PORTS.join(", ");
    const message = isTaken
      ? `one of the ports ${ports} is taken: by the pod itself or by another node proxy`
      : `opening ports ${ports} failed: ${error.message}`;
    return { kind: "failed", reason, message };
  }
}

/** A kernel started with ipv6.disable=1 has no such sockets. */
function canOpen(namespace: NetworkNamespace, family: 4 | 6): boolean {
  if (family === 4) return true;
  try {
    closeDescriptor(openListeningSocket({ namespace, family }, 0));
    return true;
  } catch (error) {
    if (error instanceof SysError && error.code === "EAFNOSUPPORT") return false;
    throw error;
  }
}
