/** Reads `/proc/net/tcp` and `tcp6` (proc(5)): the connections that a capture finds already running. Pure. */

/** net/tcp_states.h: ESTABLISHED, SYN_SENT, SYN_RECV, FIN_WAIT1, FIN_WAIT2, CLOSE_WAIT, LAST_ACK, CLOSING. */
const RUNNING = new Set(["01", "02", "03", "04", "05", "08", "09", "0B"]);

/** Keys `local remote` as the kernel prints them. A connection within the pod is left out: it is never captured. */
export function parseTcpTable(text: string): ReadonlySet<string> {
  const keys = new Set<string>();
  for (const line of text.split("\n")) {
    const [, local, remote, state] = line.trim().split(/\s+/);
    if (local === undefined || remote === undefined || !RUNNING.has(state ?? "")) continue;
    if (addressOf(local) !== addressOf(remote)) keys.add(`${local} ${remote}`);
  }
  return keys;
}

/** Loopback connections can differ in their last bytes (127.0.0.2): the low byte of the word is the first of the address. */
function addressOf(end: string): string {
  const address = end.slice(0, end.indexOf(":"));
  const isLoopback = /^(?:0000000000000000FFFF0000)?[0-9A-F]{6}7F$/.test(address);
  return isLoopback ? "loopback" : address;
}
