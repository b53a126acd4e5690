/**
 * Starts the node proxy: becomes the keeper, which runs `control-main.ts` and `traffic-main.ts` with
 * this program's own arguments.
 *
 * `WEFT_TRAFFIC_USER=UID:GID` gives the traffic process another user and only the capabilities it needs.
 */
import { fileURLToPath } from "node:url";
import type { NodeProxyConfig } from "./config.ts";
import { becomeKeeper } from "./keeper-loop.ts";
import { readConfig } from "./read-config.ts";

/** What a socket with a mark, a transparent bind and setns(2) take; nothing else survives, root or not. */
const CAPABILITIES = "-all,+net_admin,+net_raw,+sys_admin";

/** Control is seldom busy: it needs neither a large young generation nor threads that collect it. As in the image, for what it compiled. */
const CONTROL_FLAGS = ["--v8-pool-size=1", "--max-semi-space-size=1"];
/** A larger young generation takes 40 MB more under load, and saves no time that could be measured (docs/decisions/0006). */
const TRAFFIC_FLAGS = ["--max-semi-space-size=8"];
/** Node's threads would each get an arena of glibc's, which keeps what it was given: a seventh of the memory. */
const MEMORY = { MALLOC_ARENA_MAX: "1" };

function program(file: string, flags: readonly string[] = []): readonly string[] {
  return [
    process.execPath,
    ...flags,
    fileURLToPath(new URL(file, import.meta.url)),
    ...process.argv.slice(2),
  ];
}

function boundedBy({ trafficUser }: NodeProxyConfig): readonly string[] {
  if (!trafficUser) return [];
  const { uid, gid } = trafficUser;
  const who = [`--reuid=${uid}`, `--regid=${gid}`, "--clear-groups"];
  const caps = ["inh-caps", "ambient-caps", "bounding-set"].map(
    (set) => `--${set}=${CAPABILITIES}`,
  );
  return ["setpriv", ...who, ...caps, "--no-new-privs"];
}

// Here once for all: the loop below would start again and again what ends at once for a wrong flag.
const config = readConfig();
becomeKeeper({
  control: program("./control-main.ts", CONTROL_FLAGS),
  traffic: [...boundedBy(config), ...program("./traffic-main.ts", TRAFFIC_FLAGS)],
  // oxlint-disable-next-line node/no-process-env -- passed on whole: this program is gone after this line
  environment: { ...MEMORY, ...process.env },
});
