/** What weftctl was asked to do: a checked command, or the list of all that is wrong with the call. */
import { parseArgs } from "node:util";

/** As it is called: of one word or two. */
export type CommandName = "status" | "check" | "uninstall" | "ca status";
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
  /** `uninstall`: longest wait for the nodes, seconds. */
  readonly timeoutSeconds: number;
  /** `uninstall`: longest wait for open connections of released pods, seconds. */
  readonly drainSeconds: number;
}

export type ParsedCommand =
  | { readonly kind: "command"; readonly command: Command }
  | { readonly kind: "help"; readonly text: string }
  | { readonly kind: "wrong"; readonly reasons: readonly string[] };

const COMMANDS: Readonly<Record<CommandName, string>> = {
  status: "is the mesh installed, which pods are captured, which policies are enforced",
  check: "can this cluster run the mesh (--before), does what is installed work",
  uninstall: "release every pod, wait for every node, then delete the mesh",
  "ca status": "every certificate of the mesh, its issuer and the time left; the roots",
};

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
  help: { type: "boolean", short: "h" },
} as const;

const HELP = `usage: weftctl COMMAND [flags]

${Object.entries(COMMANDS)
  .map(([name, text]) => `  ${name.padEnd(10)} ${text}`)
  .join("\n")}

flags:
  --json, -o json|yaml   print one object
  --kubeconfig FILE      instead of kubectl's default
  --context NAME         of the kubeconfig
  -n, --namespace NAME   of the mesh (weft-system)
  --before               check: only what must hold before installing
  --keep-crds            uninstall: leave weft's kinds and all their objects
  --timeout SECONDS      uninstall: longest wait for the nodes (120)
  --drain SECONDS        uninstall: longest wait for open connections of released pods (10)

exit codes:
  0  everything that the command looks at is as it should be
  1  something is not; ca status: a certificate has ended, is missing, or is in the last quarter
     of its life without having been renewed
  2  wrong use`;

export function parseCommand(args: readonly string[]): ParsedCommand {
  const reasons: string[] = [];
  const { values, positionals } = readArguments(args, reasons);
  if (values.help === true || args.length === 0) return { kind: "help", text: HELP };
  const name = parseName(positionals, reasons);
  const output = parseOutput(values, reasons);
  const timeoutSeconds = parseSeconds("timeout", values.timeout ?? "120", reasons);
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
  };
  return { kind: "command", command };
}

function parseName(words: readonly string[], reasons: string[]): CommandName | undefined {
  const names = Object.keys(COMMANDS) as CommandName[];
  const known = names.find((name) => name.split(" ").every((word, i) => words[i] === word));
  // Of `ca nonsense` both words are wrong together.
  const isGroup = names.some((name) => name.startsWith(`${words[0] ?? ""} `));
  const length = known?.split(" ").length ?? (isGroup ? 2 : 1);
  const called = words.slice(0, length).join(" ") || "no command";
  if (!known) reasons.push(`${called}: none of ${names.join(", ")}`);
  for (const word of words.slice(length)) reasons.push(`${word}: not expected`);
  return known;
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

function parseSeconds(flag: string, text: string, reasons: string[]): number {
  const seconds = Number(text);
  if (seconds >= 1 && seconds <= 3600) return seconds;
  reasons.push(`--${flag}: ${text} is not 1 to 3600 seconds`);
  return 1;
}

function readArguments(args: readonly string[], reasons: string[]) {
  try {
    return parseArgs({ args: [...args], options: OPTIONS, allowPositionals: true });
  } catch (error) {
    // parseArgs throws a TypeError that names the flag.
    reasons.push(Error.isError(error) ? error.message : String(error));
    return { values: {}, positionals: [] } as ReturnType<
      typeof parseArgs<{ options: typeof OPTIONS; allowPositionals: true }>
    >;
  }
}
