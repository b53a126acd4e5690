/** One stream of bulk from the client's pod to an iperf3 of its own in the server's. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { startProgram } from "../world/program.ts";
import { until } from "../world/until.ts";
import { bulk } from "./load.ts";
import type { BenchSetting } from "./target.ts";
import { loadOf } from "./under-target.ts";

/** Bytes that it moved. */
export async function bulkFrom(
  { folder, ...setting }: BenchSetting,
  seconds: number,
): Promise<number> {
  const { server, bulkPort } = setting;
  const program = startProgram({
    name: "iperf3",
    command: ["iperf3", "--server", "--one-off", `--port=${bulkPort}`],
    netns: server.netns,
    logFile: join(folder, "iperf3.log"),
  });
  try {
    await untilListening(server.netns, bulkPort);
    return await bulk(loadOf({ folder, ...setting }), seconds);
  } finally {
    await program.stop("SIGKILL");
  }
}

async function untilListening(netns: string, port: number): Promise<void> {
  await until(`port ${port} to listen`, async () => {
    const child = spawn("nsenter", [`--net=${netns}`, "ss", "-Hltn", `sport = :${port}`]);
    const [output] = (await once(child.stdout, "data").catch(() => [""])) as [Buffer | string];
    return output.toString() === "" ? undefined : true;
  });
}
