/**
 * Starts the node proxy: becomes the keeper, which runs `control-main.ts` and `traffic-main.ts` with
 * this program's own arguments.
 *
 * `WEFT_TRAFFIC_USER=UID:GID` gives the traffic process another user and only the capabilities it needs.
 */
import { fileURLToPath } from "node:url";
import { becomeKeeper } from "./keeper-loop.ts";

/** What a socket with a mark, a transparent bind and setns(2) take; nothing else survives, root or not. */
const CAPABILITIES = "-all,+net_admin,+net_raw,+sys_admin";

function program(file: string): readonly string[] {
  return [
    process.execPath,
    fileURLToPath(new URL(file, import.meta.url)),
    ...process.argv.slice(2),
  ];
}

function boundedBy(user: string | undefined): readonly string[] {
  const [uid, gid] = (user ?? "").split(":");
  if (uid === undefined || gid === undefined) return [];
  const who = [`--reuid=${uid}`, `--regid=${gid}`, "--clear-groups"];
  const caps = ["inh-caps", "ambient-caps", "bounding-set"].map(
    (set) => `--${set}=${CAPABILITIES}`,
  );
  return ["setpriv", ...who, ...caps, "--no-new-privs"];
}

// oxlint-disable-next-line node/no-process-env -- passed on whole: this program is gone after the next line
const environment = process.env;

becomeKeeper({
  control: program("./control-main.ts"),
  traffic: [...boundedBy(environment["WEFT_TRAFFIC_USER"]), ...program("./traffic-main.ts")],
  environment,
});
