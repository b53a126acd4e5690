/**
 * Puts a peer into the path as weft puts itself: outbound by REDIRECT, and the policy routing by which
 * answers to a preserved source address come back to the proxy.
 *
 * For peers only; weft captures by itself.
 */
import { spawnSync } from "node:child_process";
import type { BenchSetting } from "./target.ts";

const MARK = "0x539/0xfff";
const RETURN_MARK = "0x111/0xfff";

/** `address`: what the client calls. */
export function redirectPods(
  { client, server }: Pick<BenchSetting, "client" | "server">,
  address: string,
): void {
  const outbound = `-A OUTPUT -p tcp -d ${address} -m mark ! --mark ${MARK} -j REDIRECT --to-ports 15001`;
  restore(client.netns, `*nat\n${outbound}\nCOMMIT\n`);
  restore(
    server.netns,
    `*mangle
-A PREROUTING -m mark --mark ${MARK} -j CONNMARK --set-xmark ${RETURN_MARK}
-A OUTPUT -m connmark --mark ${RETURN_MARK} -j CONNMARK --restore-mark --mask 0xfff
COMMIT
`,
  );
  inside(server.netns, ["ip", "rule", "add", "fwmark", RETURN_MARK, "lookup", "100"]);
  inside(server.netns, ["ip", "route", "add", "local", "0.0.0.0/0", "dev", "lo", "table", "100"]);
}

function restore(netns: string, rules: string): void {
  inside(netns, ["iptables-restore", "--noflush", "--wait"], rules);
}

function inside(netns: string, command: readonly string[], input = ""): void {
  const done = spawnSync("nsenter", [`--net=${netns}`, ...command], { encoding: "utf8", input });
  if (done.status !== 0) throw new Error(`${command.join(" ")}: ${done.stderr}`);
}
