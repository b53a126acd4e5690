/** The operator's program: settings, log, start, stop. What runs is in `app.ts`. */
import { readFileSync } from "node:fs";
import { runProgram } from "../core/process/drain.ts";
import { createLog } from "../core/process/log.ts";
import { startOperator } from "./app.ts";
import { type OperatorConfig, parseConfig } from "./config.ts";

async function run(config: OperatorConfig): Promise<number> {
  const file = config.logFile === "" ? {} : { file: config.logFile };
  const log = createLog({ name: "weft-operator", level: config.logLevel, ...file });
  const packageFile = new URL("../package.json", import.meta.url);
  const { version } = JSON.parse(readFileSync(packageFile, "utf8")) as { readonly version: string };
  return runProgram({
    log,
    drainBudgetMs: config.drainBudgetMs,
    start: (signal) => startOperator({ config, version, log, signal }),
  });
}

async function main(): Promise<number> {
  const parsed = parseConfig(process.argv.slice(2));
  switch (parsed.kind) {
    case "config":
      return run(parsed.config);
    case "help":
      process.stdout.write(`${parsed.text}\n`);
      return 0;
    case "wrong":
      process.stderr.write(`${parsed.reasons.join("\n")}\n`);
      return 2;
  }
}

process.exit(await main());
