/** The text of a place to listen on or to call: `127.0.0.1:15012`, `[::1]:15012`, or `:15012` for every address of both families. */

export interface ListenAddress {
  /** Absent: every address, IPv6 and IPv4, or only IPv4 where the machine has no IPv6 (Node's own rule). */
  readonly host?: string;
  /** 0 to 65535; 0 lets the kernel choose. */
  readonly port: number;
}

/** `undefined` for anything that is not exactly `[HOST]:PORT` with a bracketed IPv6 host. */
export function parseListenAddress(text: string): ListenAddress | undefined {
  const match = /^(?:\[([0-9a-fA-F:.]+)\]|([^\s:[\]]*)):([0-9]{1,5})$/.exec(text);
  if (!match) return undefined;
  const port = Number(match[3]);
  if (port > 65_535) return undefined;
  const host = match[1] ?? match[2] ?? "";
  return host === "" ? { port } : { host, port };
}
