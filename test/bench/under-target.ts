/** Runs work under a target that carries requests, in a world that was made for it and is gone afterwards. */
import type { Program } from "../world/program.ts";
import { until } from "../world/until.ts";
import { createBenchWorld } from "./bench-world.ts";
import { type LoadTarget, wrk } from "./load.ts";
import { startOrigin } from "./origin.ts";
import type { BenchSetting, BenchTarget, RunningTarget } from "./target.ts";

export type Place = Pick<BenchSetting, "folder" | "httpPort" | "bulkPort">;

export async function underTarget<T>(
  target: BenchTarget,
  { folder, httpPort, bulkPort }: Place,
  work: (running: RunningTarget, setting: BenchSetting) => Promise<T>,
): Promise<T> {
  const bench = createBenchWorld();
  const { world, client, server } = bench;
  const setting = { world, client, server, folder, httpPort, bulkPort };
  const origin = startOrigin(folder, server.netns, httpPort);
  const running = await target.start(setting);
  try {
    await untilAnswers(loadOf(setting));
    return await work(running, setting);
  } finally {
    await running.close();
    await origin.stop();
    bench.remove();
  }
}

export function loadOf({ client, server, httpPort, bulkPort }: BenchSetting): LoadTarget {
  return { netns: client.netns, address: server.address, httpPort, bulkPort };
}

export function pidsOf(programs: readonly Program[]): readonly number[] {
  return programs.map(({ child }) => child.pid ?? 0);
}

async function untilAnswers(load: LoadTarget): Promise<void> {
  await until("an answer through the target", async () => {
    const requests = await wrk(load, { connections: 1, seconds: 1, newConnections: false }).catch(
      () => 0,
    );
    return requests > 0 ? true : undefined;
  });
}
