/**
 * What really goes over the link between the nodes, by tcpdump on a node's own device. A test looks
 * for plaintext in it, so packets are kept whole.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import type { ClusterNode } from "./cluster.ts";

export interface WireCapture extends AsyncDisposable {
  /** Ends the capture and gives all packets as tcpdump -A writes them: headers, then text. */
  stop(): Promise<string>;
}

/** `filter` is pcap-filter(7). Returns once packets are really being captured. */
export async function captureOnWire(node: ClusterNode, filter: string): Promise<WireCapture> {
  const flags = "--immediate-mode -U -nnA -s 0 -i eth0".split(" ");
  const [program = "", ...args] = node.enter(["tcpdump", ...flags, filter]);
  const child = spawn(program, args, { stdio: ["ignore", "pipe", "pipe"], detached: true });
  const packets: Buffer[] = [];
  let said = "";
  child.stdout.on("data", (chunk: Buffer) => packets.push(chunk));
  const { promise: listening, resolve, reject } = Promise.withResolvers<void>();
  child.stderr.on("data", (chunk: Buffer) => {
    said += chunk.toString();
    if (said.includes("listening on")) {
      resolve();
    }
  });
  child.once("close", () => reject(new Error(`tcpdump ended: ${said}`)));
  await listening;
  return {
    stop: async () => {
      await end(child);
      return Buffer.concat(packets).toString("latin1");
    },
    [Symbol.asyncDispose]: () => end(child),
  };
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const closed = once(child, "close");
  // The group: nsenter waits for tcpdump, which is its child in the node's PID namespace.
  process.kill(-(child.pid ?? 0), "SIGINT");
  await closed;
}
