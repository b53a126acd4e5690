/**
 * Which network namespace is a pod's: by the processes in its cgroup, never by its name or address alone.
 *
 * Never the host's and never the node proxy's own. Whether the pod's address is configured inside is
 * asked by the caller with `inspectNamespace`, oldest candidate first.
 */
import { readdirSync, readFileSync, statSync } from "node:fs";
import { ownNamespaceInode } from "../sys/namespace.ts";
import { podUidOfCgroup } from "./pod-uid.ts";

export interface NamespaceCandidate {
  /** To be opened at once: a process can end and its number be used again. */
  readonly path: string;
  readonly inode: number;
  /** Start of its oldest process, clock ticks after boot. The pod's sandbox starts before what a container could unshare. */
  readonly startedTicks: number;
}

export interface ProcessScan {
  /** By pod UID, oldest first. */
  readonly candidates: ReadonlyMap<string, readonly NamespaceCandidate[]>;
  /** Every network namespace that some process is in. */
  readonly inhabited: ReadonlySet<number>;
}

/** Reads /proc once for all pods. */
export function scanProcesses(): ProcessScan {
  const forbidden = forbiddenInodes();
  const found = new Map<string, Map<number, NamespaceCandidate>>();
  const inhabited = new Set<number>();
  for (const entry of readdirSync("/proc")) {
    if (!/^[0-9]+$/.test(entry)) continue;
    const inode = namespaceInode(entry);
    if (inode === undefined) continue;
    inhabited.add(inode);
    if (forbidden.has(inode)) continue;
    const uid = podUidOfCgroup(readOrEmpty(`/proc/${entry}/cgroup`));
    if (uid === undefined) continue;
    const ofPod = found.get(uid) ?? new Map<number, NamespaceCandidate>();
    found.set(uid, ofPod);
    const candidate = { path: `/proc/${entry}/ns/net`, inode, startedTicks: startedTicks(entry) };
    const older = ofPod.get(inode);
    if (!older || candidate.startedTicks < older.startedTicks) ofPod.set(inode, candidate);
  }
  return { candidates: sorted(found), inhabited };
}

/** A namespace given by path (file source): the same rule about whose it may not be. */
function candidateOfPath(path: string): NamespaceCandidate | undefined {
  try {
    const inode = statSync(path).ino;
    return forbiddenInodes().has(inode) ? undefined : { path, inode, startedTicks: 0 };
  } catch {
    return undefined;
  }
}

/** Where the pod's namespace may be: by its path (file source), else by its processes. */
export function candidatesOf(
  { uid, netnsPath }: { readonly uid: string; readonly netnsPath: string },
  scan: ProcessScan,
): readonly NamespaceCandidate[] {
  if (netnsPath === "") return scan.candidates.get(uid) ?? [];
  const candidate = candidateOfPath(netnsPath);
  return candidate ? [candidate] : [];
}

/** Whether anything still keeps the namespace: a process in it, or the path (file source). */
export function isInhabited(
  { inode, netnsPath }: { readonly inode: number; readonly netnsPath: string },
  scan: ProcessScan,
): boolean {
  if (scan.inhabited.has(inode)) return true;
  return netnsPath !== "" && candidateOfPath(netnsPath)?.inode === inode;
}

function sorted(
  found: ReadonlyMap<string, ReadonlyMap<number, NamespaceCandidate>>,
): ReadonlyMap<string, readonly NamespaceCandidate[]> {
  return new Map(
    [...found].map(([uid, byInode]) => [
      uid,
      [...byInode.values()].toSorted((a, b) => a.startedTicks - b.startedTicks),
    ]),
  );
}

/** With hostPID, process 1 is the host's. Without rights to ask, only the own one is known. */
function forbiddenInodes(): ReadonlySet<number> {
  return new Set([namespaceInode("1") ?? ownNamespaceInode(), ownNamespaceInode()]);
}

function namespaceInode(pid: string): number | undefined {
  try {
    return statSync(`/proc/${pid}/ns/net`).ino;
  } catch {
    return undefined;
  }
}

/** proc(5): field 22 of stat, counted after the name, which may hold spaces and parentheses. */
function startedTicks(pid: string): number {
  const stat = readOrEmpty(`/proc/${pid}/stat`);
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return Number(fields[19] ?? Number.POSITIVE_INFINITY);
}

function readOrEmpty(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}
