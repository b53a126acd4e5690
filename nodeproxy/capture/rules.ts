/**
 * The packet filter rules of a captured pod, as text for `iptables-restore --noflush`. Pure.
 *
 * All rules lie in own chains named WEFT_…, entered by one jump that stands first in its built-in
 * chain; so applying again is harmless and releasing leaves other people's rules alone.
 */
import { type CaptureExclusions, NOTHING_EXCLUDED } from "../../core/model/capture-exclusions.ts";
import { type Cidr, formatIp } from "../../core/model/ip.ts";
import { GATE_ADDRESS_V4, GATE_ADDRESS_V6, GATE_PORT } from "../gate/gate-protocol.ts";
import { CLOSED_PORT, INBOUND_PORT, OUTBOUND_PORT, TUNNEL_PORT } from "./ports.ts";

type Table = "raw" | "mangle" | "filter" | "nat";
type BuiltIn = "PREROUTING" | "INPUT" | "OUTPUT";

interface Chain {
  readonly table: Table;
  readonly builtIn: BuiltIn;
  readonly rules: readonly string[];
}

export interface RulesOptions {
  /** The kernel has `xt_socket`; without it every port answers and refuses later. */
  readonly canFindListeners: boolean;
  readonly exclusions: CaptureExclusions;
}

const EVERYTHING: RulesOptions = { canFindListeners: true, exclusions: NOTHING_EXCLUDED };

/** The proxy's own packets; `PROXY_MARK` of sys/tcp-socket.ts. */
const PROXY = "-m mark --mark 0x539/0xfff";
// `--syn` only: to a fresh conntrack the next packet of a running connection is a new one, and would be
// redirected to a listener that resets it.
const NEW_TCP = "-p tcp -m tcp --tcp-flags FIN,SYN,RST,ACK SYN";

/** nat last: nothing is redirected before its answers find their way back. */
function chains(
  family: 4 | 6,
  { canFindListeners, exclusions }: RulesOptions = EVERYTHING,
): readonly Chain[] {
  const gate = family === 4 ? `${GATE_ADDRESS_V4}/32` : `${GATE_ADDRESS_V6}/128`;
  return [
    {
      table: "raw",
      builtIn: "OUTPUT",
      // Where two sockets may have the same addresses and ports one after the other or at once, one zone would make them
      // one conntrack entry. The connection to the application has the caller's address and maybe a port of the caller's
      // own. And what is left of a connection that the proxy dialled and the far side reset (10 s) would let the
      // pod's next connection from that port pass without a look at the nat table: in plaintext, past the proxy.
      rules: [`${PROXY} -j CT --zone-orig 1`],
    },
    {
      table: "mangle",
      builtIn: "PREROUTING",
      rules: [`-i lo ${PROXY} -j CONNMARK --set-xmark 0x111/0xfff`],
    },
    {
      table: "mangle",
      builtIn: "OUTPUT",
      // Answers to the caller's address then meet `ip rule fwmark 0x111` and stay in the pod.
      rules: [
        `${PROXY} -j RETURN`,
        "-m connmark --mark 0x111/0xfff -j CONNMARK --restore-mark --nfmask 0xfff --ctmask 0xfff",
      ],
    },
    {
      table: "filter",
      builtIn: "INPUT",
      // Also where a process of the pod listens there: nobody may take what was sent to closed ports.
      rules: [`-p tcp -m tcp --dport ${CLOSED_PORT} -j REJECT --reject-with tcp-reset`],
    },
    {
      table: "nat",
      builtIn: "PREROUTING",
      rules: [
        // ACCEPT: no rule of another mesh behind ours may redirect what is the node proxy's own.
        `-p tcp -m tcp --dport ${TUNNEL_PORT} -j ACCEPT`,
        "-i lo -j RETURN",
        ...portsExcluded(exclusions.inboundPorts),
        ...inboundRules(canFindListeners),
      ],
    },
    {
      table: "nat",
      builtIn: "OUTPUT",
      rules: [
        `${PROXY} -j ACCEPT`,
        `-d ${gate} ${NEW_TCP} --dport ${GATE_PORT} -j REDIRECT --to-ports ${OUTBOUND_PORT}`,
        // What a pod says to itself, by loopback or by its own address, never leaves it.
        "-o lo -j RETURN",
        ...portsExcluded(exclusions.outboundPorts),
        ...blocksExcluded(exclusions.outboundBlocks, family),
        ...dnsExcluded(exclusions.dnsAddresses, family),
        `${NEW_TCP} -j REDIRECT --to-ports ${OUTBOUND_PORT}`,
      ],
    },
  ];
}

function portsExcluded(ports: readonly number[]): readonly string[] {
  return ports.map((port) => `-p tcp -m tcp --dport ${port} -j RETURN`);
}

function blocksExcluded(blocks: readonly Cidr[], family: 4 | 6): readonly string[] {
  return blocks
    .filter((block) => block.family === family)
    .map(({ bytes, prefixLength }) => `-d ${formatIp(bytes)}/${prefixLength} -j RETURN`);
}

/** Names must be found while no node proxy runs. */
function dnsExcluded(addresses: readonly string[], family: 4 | 6): readonly string[] {
  return addresses
    .filter((address) => address.includes(":") === (family === 6))
    .map((address) => `-d ${address} -p tcp -m tcp --dport 53 -j RETURN`);
}

/**
 * A port that nothing listens on stays closed to the caller: the redirect would have the kernel accept
 * what the application never will, and kubelet's tcpSocket probe sees nothing but that.
 *
 * Such a connection is not let through either (the application could begin to listen a moment later)
 * but led to a port that rejects.
 */
function inboundRules(canFindListeners: boolean): readonly string[] {
  const redirected = `-j REDIRECT --to-ports ${INBOUND_PORT}`;
  if (!canFindListeners) return [`${NEW_TCP} ${redirected}`];
  return [
    `${NEW_TCP} -m socket --nowildcard ${redirected}`,
    `${NEW_TCP} -j REDIRECT --to-ports ${CLOSED_PORT}`,
  ];
}

/**
 * Text that brings the rules from what `iptables-save` printed to what they must be, each table at once.
 */
export function rulesToApply(
  family: 4 | 6,
  saved: string,
  options: RulesOptions = EVERYTHING,
): string {
  return restoreText(chains(family, options), (chain) => [
    `:${nameOf(chain)} - [0:0]`,
    ...deletedJumps(chain, saved),
    `-I ${chain.builtIn} 1 -j ${nameOf(chain)}`,
    ...chain.rules.map((rule) => `-A ${nameOf(chain)} ${rule}`),
  ]);
}

/** Stops redirecting new connections. The ways of open ones stay: conntrack and the other tables carry them on. */
export function rulesToStop(): string {
  return "*nat\n:WEFT_PREROUTING - [0:0]\n:WEFT_OUTPUT - [0:0]\nCOMMIT\n";
}

/** Takes every trace of Weft out of the tables. Only after the last connection has ended. */
export function rulesToRemove(family: 4 | 6, saved: string): string {
  return restoreText(chains(family), (chain) => [
    `:${nameOf(chain)} - [0:0]`,
    ...deletedJumps(chain, saved),
    `-X ${nameOf(chain)}`,
  ]);
}

/** Weft's part of what `iptables-save` printed, to compare with a later look. Notices a jump that is no longer first. */
export function weftRules(saved: string): string {
  const kept: string[] = [];
  const seenBuiltIns = new Set<string>();
  let table = "";
  for (const line of saved.split("\n")) {
    if (line.startsWith("*")) table = line;
    const builtIn = /^-A (PREROUTING|INPUT|OUTPUT) /.exec(line)?.[1];
    const isFirst = builtIn !== undefined && !seenBuiltIns.has(`${table} ${builtIn}`);
    if (builtIn !== undefined) seenBuiltIns.add(`${table} ${builtIn}`);
    if (/^-A .*WEFT_/.test(line)) kept.push(`${table} ${isFirst ? "first " : ""}${line}`);
  }
  return kept.join("\n");
}

/** Whether new connections are redirected, by what `iptables-save` printed: the pod was captured before. */
export function isRedirecting(saved: string): boolean {
  const rules = weftRules(saved);
  return (
    rules.includes("first -A OUTPUT -j WEFT_OUTPUT") &&
    rules.includes("first -A PREROUTING -j WEFT_PREROUTING") &&
    rules.includes(`--to-ports ${OUTBOUND_PORT}`) &&
    rules.includes(`--to-ports ${INBOUND_PORT}`)
  );
}

function restoreText(all: readonly Chain[], linesOf: (chain: Chain) => readonly string[]): string {
  return (["raw", "mangle", "filter", "nat"] as const)
    .map((table) => {
      const lines = all.filter((chain) => chain.table === table).map(linesOf);
      // Chains are declared before the first rule, in the form that iptables-save itself prints.
      const flat = lines.flat();
      const declared = flat.filter((line) => line.startsWith(":"));
      const rest = flat.filter((line) => !line.startsWith(":"));
      return [`*${table}`, ...declared, ...rest, "COMMIT", ""].join("\n");
    })
    .join("");
}

/** A jump can only be deleted as often as it is there: one too many would refuse the whole table. */
function deletedJumps({ table, builtIn }: Chain, saved: string): readonly string[] {
  const jump = `-A ${builtIn} -j WEFT_${builtIn}`;
  let current = "";
  let count = 0;
  for (const line of saved.split("\n")) {
    if (line.startsWith("*")) current = line.slice(1);
    if (current === table && line === jump) count += 1;
  }
  return Array<string>(count).fill(`-D ${builtIn} -j WEFT_${builtIn}`);
}

function nameOf({ builtIn }: Chain): string {
  return `WEFT_${builtIn}`;
}
