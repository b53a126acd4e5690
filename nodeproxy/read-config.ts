/**
 * The configuration of this program, for the main files: whoever asks for help or calls it wrong never
 * comes back from here. What counts as wrong is in `config.ts`.
 */
import { type NodeProxyConfig, parseConfig } from "./config.ts";

/** Ends the program with 0 after the help, with 2 after the list of all that is wrong. */
export function readConfig(): NodeProxyConfig {
  const parsed = parseConfig(process.argv.slice(2));
  if (parsed.kind === "config") return parsed.config;
  if (parsed.kind === "help") {
    process.stdout.write(`${parsed.text}\n`);
    process.exit(0);
  }
  process.stderr.write(`${parsed.reasons.join("\n")}\n`);
  process.exit(2);
}
