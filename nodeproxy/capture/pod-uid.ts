/**
 * Which pod a process belongs to, read from the text of `/proc/PID/cgroup`. Pure.
 *
 * The outermost pod wins: a kubelet inside a pod (kind) makes pods below its own pod's cgroup, and
 * those are not this node's.
 */

// Right after `pod`, so that neither a container's id nor a unit's name is taken for one. systemd's
// driver writes `_` for `-`, because `-` means "below" in the name of a slice.
const POD_UID =
  /(?:^|[/-])pod([0-9a-f]{8}[-_][0-9a-f]{4}[-_][0-9a-f]{4}[-_][0-9a-f]{4}[-_][0-9a-f]{12})(?=[./]|$)/;

/** Lines of cgroup v1 (`12:memory:/…`) or v2 (`0::/…`); `undefined` where no line names a pod. */
export function podUidOfCgroup(text: string): string | undefined {
  for (const line of text.split("\n")) {
    const path = line.split(":").slice(2).join(":");
    const uid = POD_UID.exec(path)?.[1];
    if (uid !== undefined) return uid.replaceAll("_", "-");
  }
  return undefined;
}
