/** Rolling restarts of all node proxies of a mesh, one after the other, under a steady load of new connections. */
import { execFileSync } from "node:child_process";
import { sized } from "../../soak.ts";
import { countStreams } from "../../world/mesh.ts";
import type { Failure } from "../faults/load-messages.ts";
import type { FaultTime } from "../faults/outcome.ts";
import { type FaultStage, now, SERVICE } from "../faults/stage.ts";
import type { UpgradeOutcome } from "./outcome.ts";

const ROLLS = sized(3, 20);
const CONNECTIONS_OF_ONE = sized(1_000, 5_000);
/** Fewer where the machine cannot carry them. */
const PER_SECOND = 500;
const AT_ONCE = 50;
/** Of a process that ends by its clock, on a busy machine. */
const CLOCK_MS = 250;

export async function tellUpgrades(stage: FaultStage, drainMs: number): Promise<UpgradeOutcome> {
  await stage.begin();
  for (const { name } of stage.world.pods) widenPorts(name);
  const streamsBefore = await countStreams(stage.world);
  const told: FaultTime[] = [];
  const ends: Promise<void>[] = [];
  const { failures, broken, ...tally } = await stage.underLoad(
    SERVICE,
    async () => {
      for (let roll = 1; roll <= ROLLS; roll += 1) {
        for (const node of stage.world.nodes) {
          // Never a number again: one that began in the folder of one that gave its node away would never ask for it.
          const { toldMs, ended } = await stage.upgradeNodeProxy(node, roll);
          told.push({ fromMs: toldMs, untilMs: now() });
          ends.push(ended);
        }
        await stage.reached(roll * CONNECTIONS_OF_ONE);
      }
      // The last connections of the one before end with it.
      await Promise.all(ends);
    },
    { perSecond: PER_SECOND, atOnce: AT_ONCE },
  );
  function isInTime({ startedMs, endedMs }: Failure): boolean {
    return told.some(
      ({ fromMs, untilMs }) => startedMs <= untilMs && endedMs >= fromMs + drainMs - CLOCK_MS,
    );
  }
  return {
    upgrades: told.length,
    streamsOpened: (await countStreams(stage.world)) - streamsBefore,
    answered: tally.answered,
    lost: failures,
    corrupt: tally.corrupt,
    cutEarly: broken.filter((one) => !isInTime(one)),
    cutInTime: broken.filter(isInTime).length,
    forbiddenTried: tally.forbiddenTried,
    forbiddenAnswered: tally.forbiddenAnswered,
    longestGapMs: tally.longestGapMs,
  };
}

/** Ports of connections that have ended are not free for a minute, else; there are 28,000. */
function widenPorts(pod: string): void {
  const settings = [
    "net.ipv4.ip_local_port_range=1024 65000",
    "net.ipv4.tcp_tw_reuse=1",
    "net.netfilter.nf_conntrack_tcp_timeout_time_wait=5",
  ];
  execFileSync("ip", ["netns", "exec", pod, "sysctl", "-qw", ...settings]);
}
