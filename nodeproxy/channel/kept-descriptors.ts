/**
 * Each captured pod's namespace and listening sockets, kept in flight in a socketpair that process 1
 * of the container holds: they survive the death of control and traffic, so no connection is refused
 * or lost while both start again.
 *
 * The queue of the pair is the store: what is written to one end waits until it is read from the other.
 */
import { closeDescriptor, closeOnExec } from "../sys/descriptor.ts";
import {
  type DescriptorMessage,
  receiveDescriptors,
  sendDescriptors,
} from "../sys/descriptor-message.ts";

export interface KeptPod {
  readonly uid: string;
  /** Inode of the network namespace. */
  readonly inode: number;
  readonly families: readonly (4 | 6)[];
  /** As beside a `pod` message: the namespace, then 15001, 15006, 15008 of each family. */
  readonly descriptors: readonly number[];
}

export interface KeptDescriptors {
  /** Duplicates of all that is kept, one entry for each pod and namespace; the caller closes them. */
  readonly takeAll: () => readonly KeptPod[];
  readonly keep: (pod: KeptPod) => void;
  readonly forget: (uid: string, inode: number) => void;
  readonly forgetAll: () => void;
}

/** Reads `WEFT_KEPT_ENDS`, as the keeper sets it; `undefined` where no keeper runs. */
export function parseKeptEnds(text: string | undefined): readonly [number, number] | undefined {
  const match = /^([0-9]+),([0-9]+)$/.exec(text ?? "");
  return match ? [Number(match[1]), Number(match[2])] : undefined;
}

/** `ends` are the two sockets of the pair, inherited from the keeper. */
export function openKeptDescriptors(ends: readonly [number, number]): KeptDescriptors {
  const [writeEnd, readEnd] = ends;
  // Programs that this process starts have no business with them.
  for (const end of ends) closeOnExec(end);
  return {
    takeAll: () => takeAll(writeEnd, readEnd),
    keep: (pod) => {
      sendDescriptors(writeEnd, { payload: encodePod(pod), descriptors: pod.descriptors });
    },
    forget: (uid, inode) => {
      turn(ends, (pod) => (pod.uid === uid && pod.inode === inode ? "drop" : "keep"));
    },
    forgetAll: () => {
      turn(ends, () => "drop");
    },
  };
}

function takeAll(writeEnd: number, readEnd: number): readonly KeptPod[] {
  const taken = new Map<string, KeptPod>();
  turn([writeEnd, readEnd], (pod) => {
    const key = keyOf(pod);
    if (taken.has(key)) return "drop";
    taken.set(key, pod);
    return "take";
  });
  return [...taken.values()];
}

/**
 * One turn of the queue; `take` keeps the message and leaves its descriptors to the visitor. A message
 * is put behind the last before it is taken from the front, so a kill at any instant leaves it there
 * once or twice, never not at all; the second copy is dropped when all are taken.
 */
function turn(
  [writeEnd, readEnd]: readonly [number, number],
  visit: (pod: KeptPod) => "take" | "keep" | "drop",
): void {
  const marker = Buffer.from(
    JSON.stringify({ marker: `${process.pid} ${process.hrtime.bigint()}` }),
  );
  sendDescriptors(writeEnd, { payload: marker, descriptors: [] });
  for (;;) {
    const message = receiveDescriptors(readEnd, true);
    if (!message) return;
    const pod = decodePod(message);
    const outcome = pod ? visit(pod) : "drop";
    if (outcome !== "drop") sendDescriptors(writeEnd, message);
    dropFront(readEnd);
    if (outcome !== "take") for (const fd of message.descriptors) closeDescriptor(fd);
    if (message.payload.equals(marker)) return;
  }
}

function dropFront(readEnd: number): void {
  const front = receiveDescriptors(readEnd, false);
  for (const fd of front?.descriptors ?? []) closeDescriptor(fd);
}

function keyOf({ uid, inode }: KeptPod): string {
  return `${uid} ${inode}`;
}

function encodePod({ uid, inode, families }: KeptPod): Buffer {
  return Buffer.from(JSON.stringify({ uid, inode, families }));
}

/** Another run's marker, or a message cut short by a change of version, is no pod. */
function decodePod({ payload, descriptors }: DescriptorMessage): KeptPod | undefined {
  const value = JSON.parse(payload.toString()) as Partial<KeptPod>;
  const { uid, inode, families } = value;
  if (uid === undefined || inode === undefined || families === undefined) return undefined;
  if (descriptors.length !== 1 + 3 * families.length) return undefined;
  return { uid, inode, families, descriptors };
}
