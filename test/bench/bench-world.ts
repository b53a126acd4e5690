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
  /** `server` is the first of them. */
  readonly servers: readonly WorldPod[];
  /** To be called when no process is left in it. */
  remove(): void;
}

/** A fresh connection for each request uses up the default range of ports within seconds. */
const SYSCTLS = ["net.ipv4.ip_local_port_range=10000 65000", "net.ipv4.tcp_tw_reuse=1"];

/** Each of these servers on the second node, with its name as label `app`. */
export function createBenchWorld(serverNames: readonly string[] = ["server"]): BenchWorld {
  const world = createWorld(
    ["node1", "node2"],
    [
      { name: "client", namespace: "bench", serviceAccount: "client", labels: {}, node: "node1" },
      ...serverNames.map((name) => ({
        name,
        namespace: "bench",
        serviceAccount: name,
        labels: { app: name },
        node: "node2",
      })),
    ],
  );
  const [client, ...servers] = world.pods;
  const [server] = servers;
  if (!client || !server) throw new Error("the world has no pods");
  for (const { netns } of world.pods)
    run("nsenter", [`--net=${netns}`, "sysctl", "-qw", ...SYSCTLS]);
  return {
    world,
    client,
    server,
    servers,
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
