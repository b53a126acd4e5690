/** One long TCP conversation out of a pod, over `kubectl exec`: what the test writes and what comes back. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { createInterface } from "node:readline";
import type { Cluster } from "./cluster.ts";
import { appCommand } from "./echo-workload.ts";

export interface Talk extends AsyncDisposable {
  say(line: string): void;
  /** The next line from the server; rejects once the connection has ended. */
  next(): Promise<string>;
}

export async function openTalk(
  cluster: Cluster,
  from: { readonly namespace: string; readonly pod: string },
  to: { readonly host: string; readonly port: number },
): Promise<Talk> {
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
