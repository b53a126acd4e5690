/**
 * The socket where the two processes of one node proxy meet, in `--line-dir`: a folder of its own, which
 * traffic's group may enter, and that no other node proxy shares (an old traffic process must never meet
 * a new control).
 */
import { join } from "node:path";
import type { NodeProxyConfig } from "./config.ts";

export function trafficLinePath({ lineDir }: Pick<NodeProxyConfig, "lineDir">): string {
  return join(lineDir, "traffic.sock");
}

/** For the end that waits there. */
export function trafficLinePlace(config: Pick<NodeProxyConfig, "lineDir" | "trafficUser">): {
  readonly path: string;
  readonly group?: number;
} {
  const { trafficUser } = config;
  return { path: trafficLinePath(config), ...(trafficUser ? { group: trafficUser.gid } : {}) };
}
