/**
 * One long TCP conversation out of a pod, over `kubectl exec`, with a server that speaks first: what the
 * test writes and what comes back.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { until } from "../world/until.ts";
import type { Cluster } from "./cluster.ts";
import { appCommand } from "./echo-workload.ts";

export interface Talk extends AsyncDisposable {
  /** The server's first line. */
  readonly greeting: string;
  say(line: string): void;
  /** The next line from the server; rejects once the connection has ended. */
  next(): Promise<string>;
}

interface TalkEnds {
  readonly from: { readonly namespace: string; readonly pod: string };
  readonly to: { readonly host: string; readonly port: number };
}

/** Tried again until the server greets, at most 15 s: kube-proxy tells nobody when a new Service's rules are in place. */
export async function openTalk(cluster: Cluster, ends: TalkEnds): Promise<Talk> {
  return until("the server's greeting", async () => {
    const talk = startTalk(cluster, ends);
    try {
      return { ...talk, greeting: await talk.next() };
    } catch (error) {
      await talk[Symbol.asyncDispose]();
      throw error;
    }
  });
}

function startTalk(cluster: Cluster, { from, to }: TalkEnds): Omit<Talk, "greeting"> {
  const exec = ["-n", from.namespace, "exec", "-i", from.pod, "--"];
  const command = appCommand(["talk", to.host, `${to.port}`]);
  const kubectl = join(cluster.dir, "bin", "kubectl");
  const child = spawn(kubectl, [`--kubeconfig=${cluster.kubeconfig}`, ...exec, ...command], {
    stdio: ["pipe", "pipe", "ignore"],
  });
  const closed = once(child, "close");
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  return {
    say: (line) => void child.stdin.write(`${line}\n`),
    next: async () => {
      const result = await lines.next();
      if (result.done === true) throw new Error("the conversation has ended");
      return result.value;
    },
    [Symbol.asyncDispose]: async () => {
      child.kill("SIGKILL");
      await closed;
    },
  };
}
