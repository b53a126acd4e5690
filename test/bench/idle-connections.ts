/** Connections of a program of its own in the client's pod, each answered once and then idle. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import type { LoadTarget } from "./load.ts";

export interface IdleConnections {
  close(): Promise<void>;
}

/** Resolves once all are open. */
export async function openIdle(
  { netns, address, httpPort }: LoadTarget,
  count: number,
): Promise<IdleConnections> {
  const program = join(import.meta.dirname, "idle-client.ts");
  const client = spawn(
    "nsenter",
    [`--net=${netns}`, process.execPath, program, address, String(httpPort), String(count)],
    { stdio: ["ignore", "ignore", "inherit", "ipc"] },
  );
  const exit = once(client, "exit");
  const opened = await Promise.race([once(client, "message"), exit.then(() => undefined)]);
  if (opened === undefined) throw new Error(`${count} idle connections: not all opened`);
  return {
    async close() {
      client.disconnect();
      await exit;
    },
  };
}
