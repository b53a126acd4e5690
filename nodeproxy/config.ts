/**
 * The node proxy's settings, from flags and environment: a checked value, or the list of all that is wrong.
 *
 * Every flag `--a-b` has the variable `WEFT_A_B`; the flag wins. Read once, by the main files alone.
 */
import { join } from "node:path";
import { parseArgs } from "node:util";
import { type ListenAddress, parseListenAddress } from "../core/process/listen-address.ts";
import { LOG_LEVELS, type LogLevel } from "../core/process/log-level.ts";
import { parseKeptEnds } from "./channel/kept-descriptors.ts";

import { DEFAULT_POD_LIMITS, type PodLimits } from "./flow/pod-slots.ts";
import { MAX_WORKERS } from "./workers/max-workers.ts";

export interface NodeProxyConfig {
  readonly node: string;
  /** `host:port`, IPv6 in brackets. */
  readonly operator: string;
  /** The mesh's roots, PEM; watched, and may be missing at first. */
  readonly rootsFile: string;
  /** The projected service-account token (read anew each time), or the join token of the file source. */
  readonly tokenFile: string;
  readonly joinToken: boolean;
  /** Sockets, snapshot and leaf keys: a root-only directory, on tmpfs. */
  readonly runDir: string;
  /** Of the socket between the two processes; shared with no other node proxy, where the run directory may be. */
  readonly lineDir: string;
  /** Of the operator's certificate; the mesh's own comes with the configuration. */
  readonly trustDomain: string;
  readonly adminListen: ListenAddress;
  readonly metricsListen: ListenAddress;
  readonly readyListen: ListenAddress;
  /** From SIGTERM on, how long open connections may go on. */
  readonly drainMs: number;
  readonly logLevel: LogLevel;
  readonly logFile: string;
  /** Path, or "" for standard output. */
  readonly accessLogFile: string;
  readonly podLimits: PodLimits;
  /** Threads that carry connections; 0: the traffic process's own. */
  readonly workers: number;
  /** Ends of the keeper's socketpair, inherited; absent where no keeper runs. */
  readonly keptEnds?: readonly [number, number];
  /** Whom the traffic process runs as; the keeper's own user where absent. */
  readonly trafficUser?: { readonly uid: number; readonly gid: number };
}

export type ParsedConfig =
  | { readonly kind: "config"; readonly config: NodeProxyConfig }
  | { readonly kind: "help"; readonly text: string }
  | { readonly kind: "wrong"; readonly reasons: readonly string[] };

const SETTINGS = {
  node: { fallback: "", help: "name of this node (required)" },
  operator: { fallback: "", help: "the operator's host:port; in Kubernetes found by its Service" },
  roots: { fallback: "/etc/weft/roots/roots.pem", help: "file with the mesh's roots, PEM" },
  "token-file": {
    fallback: "/var/run/secrets/weft/token",
    help: "projected token for the operator",
  },
  "join-token-file": { fallback: "", help: "join token of an operator with --source file:" },
  "run-dir": { fallback: "/run/weft", help: "root-only directory for sockets, snapshot and keys" },
  "line-dir": {
    fallback: "",
    help: "directory of the socket between its processes, shared with no other pod (RUN_DIR/line)",
  },
  "trust-domain": { fallback: "cluster.local", help: "trust domain of the operator's certificate" },
  "admin-listen": { fallback: "127.0.0.1:15000", help: "admin endpoint, loopback" },
  "metrics-listen": { fallback: ":15020", help: "metrics" },
  "ready-listen": { fallback: ":15021", help: "readiness" },
  "grace-seconds": {
    fallback: "30",
    help: "from SIGTERM to SIGKILL: in Kubernetes the pod's terminationGracePeriodSeconds",
  },
  workers: {
    fallback: "0",
    help: "threads that carry connections beside the traffic process's own, which then only leads them",
  },
  "log-level": { fallback: "info", help: LOG_LEVELS.join("|") },
  "log-file": { fallback: "", help: "append logs to this file instead of standard error" },
  "access-log": {
    fallback: "",
    help: "append access logs to this file instead of standard output",
  },
  "max-pod-connections": {
    fallback: String(DEFAULT_POD_LIMITS.connections),
    help: "connections of one pod at once, for each direction",
  },
  "max-pod-tunnels": {
    fallback: String(DEFAULT_POD_LIMITS.tunnels),
    help: "tunnels of one pod at once, for each direction",
  },
} as const;

const MIN_GRACE_SECONDS = 10;
const AFTER_DRAIN_SECONDS = 5;

type Setting = keyof typeof SETTINGS;

export function parseConfig(
  args: readonly string[],
  env: Readonly<Record<string, string | undefined>> = process.env,
): ParsedConfig {
  const reasons: string[] = [];
  const flags = readFlags(args, reasons);
  if (flags["help"] === true) return { kind: "help", text: helpText() };

  function get(name: Setting): string {
    const flag = flags[name];
    const variable = env[`WEFT_${name.toUpperCase().replaceAll("-", "_")}`];
    return (typeof flag === "string" ? flag : variable) ?? SETTINGS[name].fallback;
  }
  function listen(name: Setting): ListenAddress {
    return listenAddress(`--${name}`, get(name), reasons);
  }
  function count(name: Setting): number {
    if (!/^[1-9][0-9]{0,8}$/.test(get(name))) {
      reasons.push(`--${name}: "${get(name)}" is no number of 1 or more`);
    }
    return Number(get(name));
  }
  const logLevel = LOG_LEVELS.find((level) => level === get("log-level"));
  if (!logLevel)
    reasons.push(`--log-level: ${get("log-level")} is none of ${LOG_LEVELS.join(", ")}`);
  if (get("node") === "") reasons.push("--node: missing; set it to this node's name");
  const joinToken = get("join-token-file") !== "";
  const config: NodeProxyConfig = {
    node: get("node"),
    operator: operatorAddress(get("operator") || serviceAddress(env), reasons),
    rootsFile: get("roots"),
    tokenFile: joinToken ? get("join-token-file") : get("token-file"),
    joinToken,
    runDir: get("run-dir"),
    lineDir: get("line-dir") || join(get("run-dir"), "line"),
    trustDomain: get("trust-domain"),
    adminListen: listen("admin-listen"),
    metricsListen: listen("metrics-listen"),
    readyListen: listen("ready-listen"),
    drainMs: drainBudget(get("grace-seconds"), reasons),
    workers: workerCount(get("workers"), reasons),
    logLevel: logLevel ?? "info",
    logFile: get("log-file"),
    accessLogFile: get("access-log"),
    podLimits: {
      connections: count("max-pod-connections"),
      tunnels: count("max-pod-tunnels"),
    },
    ...inherited(env, reasons),
  };
  return reasons.length > 0 ? { kind: "wrong", reasons } : { kind: "config", config };
}

/** What no flag tells: the keeper its processes, and the manifest the keeper. */
function inherited(
  env: Readonly<Record<string, string | undefined>>,
  reasons: string[],
): Pick<NodeProxyConfig, "keptEnds" | "trafficUser"> {
  const keptEnds = parseKeptEnds(env["WEFT_KEPT_ENDS"]);
  const user = env["WEFT_TRAFFIC_USER"] ?? "";
  const [, uid, gid] = /^([0-9]+):([0-9]+)$/.exec(user) ?? [];
  if (user !== "" && gid === undefined) {
    reasons.push(`WEFT_TRAFFIC_USER: "${user}" is not UID:GID`);
  }
  return {
    ...(keptEnds ? { keptEnds } : {}),
    ...(gid === undefined ? {} : { trafficUser: { uid: Number(uid), gid: Number(gid) } }),
  };
}

/** Kubernetes gives each pod the address of the Services of its namespace; no name is resolved, so no DNS is needed to start. */
function serviceAddress(env: Readonly<Record<string, string | undefined>>): string {
  const host = env["WEFT_OPERATOR_SERVICE_HOST"] ?? "";
  const port =
    env["WEFT_OPERATOR_SERVICE_PORT_GRPC"] ?? env["WEFT_OPERATOR_SERVICE_PORT"] ?? "15012";
  if (host === "") return "";
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}

function readFlags(args: readonly string[], reasons: string[]): Record<string, unknown> {
  const options: Record<string, { type: "string" | "boolean" }> = { help: { type: "boolean" } };
  for (const name of Object.keys(SETTINGS)) options[name] = { type: "string" };
  const { tokens } = parseArgs({ args: [...args], options, strict: false, tokens: true });
  const flags: Record<string, unknown> = {};
  for (const token of tokens) {
    if (token.kind === "positional") reasons.push(`${token.value}: not a flag`);
    if (token.kind !== "option") continue;
    if (!Object.hasOwn(options, token.name)) reasons.push(`${token.rawName}: no such flag`);
    else if (token.name === "help") flags["help"] = true;
    else if (token.value === undefined) reasons.push(`${token.rawName}: needs a value`);
    else flags[token.name] = token.value;
  }
  return flags;
}

function operatorAddress(text: string, reasons: string[]): string {
  const parsed = parseListenAddress(text);
  if (parsed?.host === undefined) reasons.push(`--operator: "${text}" is not host:port`);
  return text;
}

/** The rest is for what comes after: the control process ends when no connection needs it any more. */
function drainBudget(graceSeconds: string, reasons: string[]): number {
  if (/^\d{1,5}$/.test(graceSeconds) && Number(graceSeconds) >= MIN_GRACE_SECONDS) {
    return (Number(graceSeconds) - AFTER_DRAIN_SECONDS) * 1_000;
  }
  reasons.push(`--grace-seconds: "${graceSeconds}" is not a number from ${MIN_GRACE_SECONDS} on`);
  return 0;
}

function workerCount(text: string, reasons: string[]): number {
  const count = /^\d{1,2}$/.test(text) ? Number(text) : Infinity;
  if (count <= MAX_WORKERS) return count;
  reasons.push(`--workers: "${text}" is not a number from 0 to ${MAX_WORKERS}`);
  return 0;
}

function listenAddress(name: string, text: string, reasons: string[]): ListenAddress {
  const parsed = parseListenAddress(text);
  if (!parsed) reasons.push(`${name}: "${text}" is not [HOST]:PORT`);
  return parsed ?? { port: 0 };
}

function helpText(): string {
  const rows = Object.entries(SETTINGS).map(([name, { fallback, help }]) => {
    const suffix = fallback === "" ? "" : ` (${fallback})`;
    return `  --${name.padEnd(20)} ${help}${suffix}`;
  });
  return ["usage: node nodeproxy/keeper-main.ts [flags]", ...rows].join("\n");
}
