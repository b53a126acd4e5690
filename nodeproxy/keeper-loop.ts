/**
 * Process 1 of the node proxy's container: keeps the listening descriptors of all pods in flight, starts
 * control and traffic, and starts again whichever died.
 *
 * Node makes the socketpair and then becomes a shell (1.7 MB): what must not fail does next to nothing.
 */
import { keepAcrossExec, placeDescriptor } from "./sys/descriptor.ts";
import { replaceProcess } from "./sys/replace-process.ts";
import { openSocketPair } from "./sys/unix-socket.ts";

/** Where the ends of the pair are in every process below; one digit, as the shell's redirections demand. */
const KEPT_ENDS = [8, 9] as const;
/** Without them both processes would log into nothing. */
const STANDARD_STREAMS = [0, 1, 2] as const;

export interface KeeperOptions {
  /** Command of each process, with all arguments. */
  readonly control: readonly string[];
  readonly traffic: readonly string[];
  readonly environment: Readonly<Record<string, string | undefined>>;
}

/** Never returns: this process is the loop from here on. */
export function becomeKeeper({ control, traffic, environment }: KeeperOptions): never {
  for (const [i, end] of openSocketPair().entries()) placeDescriptor(end, KEPT_ENDS[i] ?? 0);
  for (const stream of STANDARD_STREAMS) keepAcrossExec(stream);
  const args = ["weft-keeper", "-c", loopScript(control, traffic)];
  const kept = KEPT_ENDS.join(",");
  return replaceProcess({
    path: "/bin/sh",
    args,
    environment: { ...environment, WEFT_KEPT_ENDS: kept },
  });
}

/**
 * SIGTERM goes on to both, and the loop ends when both have ended. Traffic gets no end of the pair: it
 * could take the sockets of every pod. `wait` returns early for a signal, so it is asked again. What lived for a
 * second is started again at once.
 */
function loopScript(control: readonly string[], traffic: readonly string[]): string {
  return `
keep() {
  ending=
  trap 'ending=1; kill -TERM $child 2>/dev/null' TERM INT
  while [ -z "$ending" ]; do
    read -r begun idle </proc/uptime
    $1 &
    child=$!
    wait $child
    while kill -0 $child 2>/dev/null; do wait $child; done
    read -r now idle </proc/uptime
    [ -n "$ending" ] || [ $((\${now%.*} - \${begun%.*})) -gt 1 ] || sleep 0.1
  done
}
control() { exec ${control.map(quoted).join(" ")}; }
traffic() { exec 8<&- 9<&- ${traffic.map(quoted).join(" ")}; }
keep control & first=$!
keep traffic & second=$!
trap 'kill -TERM $first $second 2>/dev/null' TERM INT
while kill -0 $first 2>/dev/null || kill -0 $second 2>/dev/null; do wait; done
`;
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}
