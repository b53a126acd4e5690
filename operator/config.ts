/**
 * The operator's settings, from flags and environment: a checked value, or the list of all that is wrong.
 *
 * Every flag `--a-b` has the variable `WEFT_A_B`; the flag wins. Read once, by `main.ts` alone. What
 * the mesh does (trust domain, lifetimes) is no setting of the program: that is MeshConfig's.
 */
import { parseArgs } from "node:util";
import { type ListenAddress, parseListenAddress } from "../core/process/listen-address.ts";
import { LOG_LEVELS, type LogLevel } from "../core/process/log-level.ts";

/** What only one of the two sources needs. */
export type SourceConfig =
  | {
      readonly kind: "kubernetes";
      readonly webhookListen: ListenAddress;
      /** Image of the init container `weft-gate`: the operator's own. */
      readonly image: string;
      /** Name of the operator's pod, holder of the Lease. */
      readonly podName: string;
      readonly tokenAudience: string;
    }
  | {
      readonly kind: "files";
      readonly directory: string;
      readonly caDirectory: string;
      readonly joinTokenFile: string;
      /** Where the roots are written as PEM for the node proxies; "" for nowhere. */
      readonly rootsFile: string;
    };

export interface OperatorConfig {
  readonly source: SourceConfig;
  /** Where the operator lives; also the root namespace, whose policies rule the whole mesh. */
  readonly namespace: string;
  readonly grpcListen: ListenAddress;
  readonly metricsListen: ListenAddress;
  readonly logLevel: LogLevel;
  /** Path, or "" for standard error. */
  readonly logFile: string;
  readonly drainBudgetMs: number;
}

export type ParsedConfig =
  | { readonly kind: "config"; readonly config: OperatorConfig }
  | { readonly kind: "help"; readonly text: string }
  | { readonly kind: "wrong"; readonly reasons: readonly string[] };

interface Setting {
  readonly fallback: string;
  readonly help: string;
  /** Only for this source; absent for both. */
  readonly only?: "kubernetes" | "files";
}

const SETTINGS = {
  source: {
    fallback: "kubernetes",
    help: "where objects come from: kubernetes, or file:DIR with the same YAML",
  },
  namespace: { fallback: "weft-system", help: "the operator's namespace" },
  "grpc-listen": { fallback: ":15012", help: "for node proxies, [HOST]:PORT" },
  "metrics-listen": { fallback: ":15014", help: "/metrics, /livez and /readyz; /status on files" },
  "log-level": { fallback: "info", help: LOG_LEVELS.join("|") },
  "log-file": { fallback: "", help: "append logs to this file instead of standard error" },
  "drain-seconds": { fallback: "20", help: "longest graceful stop, 1 to 600" },
  "webhook-listen": { fallback: ":15017", help: "admission webhooks", only: "kubernetes" },
  image: { fallback: "", help: "image of weft-gate, the operator's own", only: "kubernetes" },
  "pod-name": { fallback: "", help: "the operator's own pod", only: "kubernetes" },
  "token-audience": { fallback: "weft", help: "of node proxies' tokens", only: "kubernetes" },
  "ca-dir": { fallback: "", help: "directory of the CA's key", only: "files" },
  "join-token-file": {
    fallback: "",
    help: "token that node proxies show; made where missing",
    only: "files",
  },
  "roots-out": { fallback: "", help: "file to write the roots to, PEM", only: "files" },
} as const satisfies Readonly<Record<string, Setting>>;

type SettingName = keyof typeof SETTINGS;

// RFC 1123 label.
const NAMESPACE = /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/;

export function parseConfig(
  args: readonly string[],
  env: Readonly<Record<string, string | undefined>> = process.env,
): ParsedConfig {
  const reasons: string[] = [];
  const flags = readFlags(args, reasons);
  if (flags.get("help") !== undefined) return { kind: "help", text: helpText() };
  const settings = new Settings({ flags, env, reasons });
  const config: OperatorConfig = {
    source: parseSource(settings),
    namespace: settings.matching("namespace", NAMESPACE, "is not a namespace"),
    grpcListen: settings.address("grpc-listen"),
    metricsListen: settings.address("metrics-listen"),
    logLevel: settings.logLevel(),
    logFile: settings.get("log-file"),
    drainBudgetMs: settings.seconds("drain-seconds", 600) * 1000,
  };
  return reasons.length > 0 ? { kind: "wrong", reasons } : { kind: "config", config };
}

function parseSource(settings: Settings): SourceConfig {
  const text = settings.get("source");
  if (text === "kubernetes") {
    settings.refuseOthersThan("kubernetes");
    return {
      kind: "kubernetes",
      webhookListen: settings.address("webhook-listen"),
      image: settings.required("image"),
      podName: settings.required("pod-name"),
      tokenAudience: settings.required("token-audience"),
    };
  }
  const directory = text.startsWith("file:") ? text.slice("file:".length) : "";
  if (directory === "") settings.refuse("source", `"${text}" is neither kubernetes nor file:DIR`);
  settings.refuseOthersThan("files");
  return {
    kind: "files",
    directory,
    caDirectory: settings.required("ca-dir"),
    joinTokenFile: settings.required("join-token-file"),
    rootsFile: settings.get("roots-out"),
  };
}

interface SettingSources {
  readonly flags: ReadonlyMap<string, string>;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Filled with all that is wrong. */
  readonly reasons: string[];
}

/** Reads one setting after another and collects what is wrong. */
class Settings {
  readonly #sources: SettingSources;

  constructor(sources: SettingSources) {
    this.#sources = sources;
  }

  get(name: SettingName): string {
    return this.#given(name) ?? SETTINGS[name].fallback;
  }

  required(name: SettingName): string {
    const text = this.get(name);
    if (text === "") this.refuse(name, `missing: ${SETTINGS[name].help}`);
    return text;
  }

  matching(name: SettingName, form: RegExp, complaint: string): string {
    const text = this.get(name);
    if (!form.test(text)) this.refuse(name, `"${text}" ${complaint}`);
    return text;
  }

  address(name: SettingName): ListenAddress {
    const address = parseListenAddress(this.get(name));
    if (!address) this.refuse(name, `"${this.get(name)}" is not [HOST]:PORT`);
    return address ?? { port: 0 };
  }

  seconds(name: SettingName, max: number): number {
    const text = this.get(name);
    const value = /^[0-9]{1,6}$/.test(text) ? Number(text) : 0;
    if (value < 1 || value > max) this.refuse(name, `"${text}" is not between 1 and ${max}`);
    return value;
  }

  logLevel(): LogLevel {
    const text = this.get("log-level");
    const level = LOG_LEVELS.find((known) => known === text);
    if (!level) this.refuse("log-level", `"${text}" is none of ${LOG_LEVELS.join(", ")}`);
    return level ?? "info";
  }

  /** A setting of the other source was surely meant to do something, and it would not. */
  refuseOthersThan(source: "kubernetes" | "files"): void {
    const given = Object.entries<Setting>(SETTINGS).filter(
      ([name, { only }]) => only && only !== source && this.#given(name) !== undefined,
    );
    for (const [name] of given) {
      this.#sources.reasons.push(`--${name}: has no meaning with --source ${this.get("source")}`);
    }
  }

  refuse(name: SettingName, reason: string): void {
    this.#sources.reasons.push(`--${name}: ${reason}`);
  }

  #given(name: string): string | undefined {
    const variable = `WEFT_${name.toUpperCase().replaceAll("-", "_")}`;
    return this.#sources.flags.get(name) ?? this.#sources.env[variable];
  }
}

function readFlags(args: readonly string[], reasons: string[]): ReadonlyMap<string, string> {
  const options: Record<string, { type: "string" | "boolean" }> = { help: { type: "boolean" } };
  for (const name of Object.keys(SETTINGS)) options[name] = { type: "string" };
  const { tokens } = parseArgs({ args: [...args], options, strict: false, tokens: true });
  const flags = new Map<string, string>();
  for (const token of tokens) {
    if (token.kind === "positional") reasons.push(`${token.value}: not a flag`);
    if (token.kind !== "option") continue;
    if (!Object.hasOwn(options, token.name)) reasons.push(`${token.rawName}: no such flag`);
    else if (token.name === "help") flags.set("help", "");
    else if (token.value === undefined) reasons.push(`${token.rawName}: needs a value`);
    else flags.set(token.name, token.value);
  }
  return flags;
}

function helpText(): string {
  const rows = Object.entries<Setting>(SETTINGS).map(([name, { fallback, help, only }]) => {
    const notes = [only && `source ${only}`, fallback && `default ${fallback}`].filter(Boolean);
    return `  --${name.padEnd(16)} ${help}${notes.length > 0 ? ` (${notes.join(", ")})` : ""}`;
  });
  return [
    "usage: node operator/main.ts [flags]; every flag --a-b has the variable WEFT_A_B",
    ...rows,
  ].join("\n");
}
