/**
 * Two nodes with one pod each, made anew for every measurement: what one target leaves behind (rules,
 * conntrack entries, sockets in TIME_WAIT) must not meet the next.
 */
import { spawnSync } from "node:child_process";
import { createWorld, type World, type WorldPod } from "../world/world.ts";

export interface BenchWorld {
  readonly world: World;
  readonly client: WorldPod;
  readonly server: WorldPod;
  /** To be called when no process is left in it. */
  remove(): void;
}

/** A fresh connection for each request uses up the default range of ports within seconds. */
const SYSCTLS = ["net.ipv4.ip_local_port_range=10000 65000", "net.ipv4.tcp_tw_reuse=1"];

export function createBenchWorld(): BenchWorld {
  const world = createWorld(
    ["node1", "node2"],
    [
      { name: "client", namespace: "bench", serviceAccount: "client", labels: {}, node: "node1" },
      {
        name: "server",
        namespace: "bench",
        serviceAccount: "server",
        labels: { app: "server" },
        node: "node2",
      },
    ],
  );
  const [client, server] = world.pods;
  if (!client || !server) throw new Error("the world has no pods");
  for (const { netns } of world.pods)
    run("nsenter", [`--net=${netns}`, "sysctl", "-qw", ...SYSCTLS]);
  return {
    world,
    client,
    server,
    remove() {
      // First the links: a namespace ends in its own time, and its link with it.
      for (const { name } of world.nodes) run("ip", ["link", "del", `link-${name}`]);
      run("ip", ["link", "del", "nodes"]);
      for (const { name } of [...world.pods, ...world.nodes]) run("ip", ["netns", "del", name]);
    },
  };
}

function run(command: string, args: readonly string[]): void {
  const done = spawnSync(command, args, { encoding: "utf8" });
  if (done.status !== 0) throw new Error(`${command} ${args.join(" ")}: ${done.stderr}`);
}
