/** What weftctl was asked to do: a checked command, or the list of all that is wrong with the call. */
import { parseArgs } from "node:util";
import { COMMANDS, type CommandName, helpFor } from "./help.ts";
import { parseDurationSeconds } from "./parse-duration.ts";
import { type RotateFlags, readRotateFlags, refuseRotateFlags } from "./rotate-flags.ts";
import { readWhyFlags, type WhyFlags } from "./why-flags.ts";

export type OutputFormat = "table" | "json" | "yaml";
export interface Command {
  readonly name: CommandName;
  readonly output: OutputFormat;
  /** "" for kubectl's own default. */
  readonly kubeconfig: string;
  readonly context: string;
  /** Where the mesh is or will be installed. */
  readonly namespace: string;
  /** `check`: only what must hold before installing. */
  readonly before: boolean;
  /** `uninstall`: leave the kinds and their objects. */
  readonly keepCrds: boolean;
  /** Longest wait, seconds: of `uninstall` for the nodes, of `ca rotate` for the end (Infinity: none). */
  readonly timeoutSeconds: number;
  /** `uninstall`: longest wait for open connections of released pods, seconds. */
  readonly drainSeconds: number;
  readonly rotate: RotateFlags;
  readonly why: WhyFlags;
  /** `explain`: "" for all. */
  readonly code: string;
}

export type ParsedCommand =
  | { readonly kind: "command"; readonly command: Command }
  | { readonly kind: "help"; readonly text: string }
  | { readonly kind: "wrong"; readonly reasons: readonly string[] };

const OPTIONS = {
  json: { type: "boolean" },
  output: { type: "string", short: "o" },
  kubeconfig: { type: "string" },
  context: { type: "string" },
  namespace: { type: "string", short: "n" },
  before: { type: "boolean" },
  "keep-crds": { type: "boolean" },
  timeout: { type: "string" },
  drain: { type: "string" },
  "dry-run": { type: "boolean" },
  abort: { type: "boolean" },
  waive: { type: "string", multiple: true },
  source: { type: "string" },
  from: { type: "string" },
  to: { type: "string" },
  plaintext: { type: "boolean" },
  http: { type: "boolean" },
  sni: { type: "string" },
  method: { type: "string" },
  path: { type: "string" },
  host: { type: "string" },
  header: { type: "string", multiple: true },
  jwt: { type: "string" },
  help: { type: "boolean", short: "h" },
} as const;

type Flags = ReturnType<
  typeof parseArgs<{ options: typeof OPTIONS; allowPositionals: true }>
>["values"];

/** A rotation may wait for a node for days; nobody waits that long with a command by mistake. */
const MAX_ROTATE_SECONDS = 30 * 86_400;

export function parseCommand(args: readonly string[]): ParsedCommand {
  const reasons: string[] = [];
  const { values, positionals } = readArguments(args, reasons);
  if (values.help === true || args.length === 0) {
    return { kind: "help", text: helpFor(positionals) };
  }
  const { name, rest } = parseName(positionals, reasons);
  const isRotate = name === "ca rotate";
  const rotate = readRotateFlags({ ...values, dryRun: values["dry-run"] });
  const { authority, code } = parseWord(name, rest, reasons);
  const why = readWhyFlags({ name, given: values, words: rest }, reasons);
  reasons.push(...refuseRotateFlags(isRotate, { ...rotate, hasAuthority: rest.length > 0 }));
  const output = parseOutput(values, reasons);
  const timeoutSeconds = parseTimeout(name, values.timeout, reasons);
  const drainSeconds = parseSeconds("drain", values.drain ?? "10", reasons);
  if (reasons.length > 0 || name === undefined) return { kind: "wrong", reasons };
  const { kubeconfig = "", context = "", namespace = "weft-system", before = false } = values;
  const keepCrds = values["keep-crds"] ?? false;
  const command = {
    name,
    output,
    kubeconfig,
    context,
    namespace,
    before,
    keepCrds,
    timeoutSeconds,
    drainSeconds,
    rotate: { ...rotate, authority },
    why,
    code,
  };
  return { kind: "command", command };
}

interface ParsedName {
  readonly name: CommandName | undefined;
  /** What stands after it. */
  readonly rest: readonly string[];
}

function parseName(words: readonly string[], reasons: string[]): ParsedName {
  const names = Object.keys(COMMANDS) as CommandName[];
  const name = names.find((each) => each.split(" ").every((word, i) => words[i] === word));
  // Of `ca nonsense` both words are wrong together.
  const isGroup = names.some((each) => each.startsWith(`${words[0] ?? ""} `));
  const length = name?.split(" ").length ?? (isGroup ? 2 : 1);
  const called = words.slice(0, length).join(" ") || "no command";
  if (!name) reasons.push(`${called}: none of ${names.join(", ")}`);
  return { name, rest: words.slice(length) };
}

interface ParsedWord {
  readonly authority: RotateFlags["authority"];
  readonly code: string;
}

/** The one word that stands after `ca rotate` or `explain`. Of other commands only those of `why-flags.ts` take any. */
function parseWord(
  name: CommandName | undefined,
  words: readonly string[],
  reasons: string[],
): ParsedWord {
  if (name === "why" || name === "authz list") return { authority: "", code: "" };
  const takesWord = name === "ca rotate" || name === "explain";
  const [word = "", ...more] = takesWord ? words : ["", ...words];
  for (const each of more) reasons.push(`${each}: not expected`);
  if (name === "explain") return { authority: "", code: word };
  if (word === "root" || word === "intermediate" || word === "")
    return { authority: word, code: "" };
  reasons.push(`${word}: none of root, intermediate`);
  return { authority: "", code: "" };
}

function parseOutput(
  { json, output: text = "table" }: { readonly json?: boolean; readonly output?: string },
  reasons: string[],
): OutputFormat {
  if (json === true) return "json";
  if (text === "table" || text === "json" || text === "yaml") return text;
  reasons.push(`--output: ${text} is none of json, yaml`);
  return "table";
}

function parseTimeout(
  name: CommandName | undefined,
  text: string | undefined,
  reasons: string[],
): number {
  if (name !== "ca rotate") return parseSeconds("timeout", text ?? "120", reasons);
  if (text === undefined) return Number.POSITIVE_INFINITY;
  const seconds = parseDurationSeconds(text);
  if (seconds !== undefined && seconds >= 1 && seconds <= MAX_ROTATE_SECONDS) return seconds;
  reasons.push(`--timeout: ${text} is no duration of 1s to 720h, such as 90s, 10m or 1h30m`);
  return 1;
}

function parseSeconds(flag: string, text: string, reasons: string[]): number {
  const seconds = parseDurationSeconds(text) ?? Number.NaN;
  if (seconds >= 1 && seconds <= 3600) return seconds;
  reasons.push(`--${flag}: ${text} is not 1 to 3600 seconds`);
  return 1;
}

function readArguments(
  args: readonly string[],
  reasons: string[],
): { readonly values: Flags; readonly positionals: readonly string[] } {
  try {
    return parseArgs({ args: [...args], options: OPTIONS, allowPositionals: true });
  } catch (error) {
    // parseArgs throws a TypeError that names the flag.
    reasons.push(Error.isError(error) ? error.message : String(error));
    return { values: {}, positionals: [] };
  }
}
