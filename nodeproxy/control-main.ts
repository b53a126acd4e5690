/** The control process of a node proxy: `node nodeproxy/control-main.ts [flags]`, started by the keeper. */
import { runProgram } from "../core/process/drain.ts";
import { createLog } from "../core/process/log.ts";
import { parseConfig } from "./config.ts";
import { startControl } from "./control-app.ts";

const DRAIN_BUDGET_MS = 10_000;

const parsed = parseConfig(process.argv.slice(2));
if (parsed.kind === "help") {
  process.stdout.write(`${parsed.text}\n`);
  process.exit(0);
}
if (parsed.kind === "wrong") {
  process.stderr.write(`${parsed.reasons.join("\n")}\n`);
  process.exit(2);
}
const { config } = parsed;
const log = createLog({
  name: "weft-nodeproxy-control",
  level: config.logLevel,
  ...(config.logFile === "" ? {} : { file: config.logFile }),
});
process.exit(
  await runProgram({
    log,
    drainBudgetMs: DRAIN_BUDGET_MS,
    start: (signal) => startControl({ config, log, signal }),
  }),
);
