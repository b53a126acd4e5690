/** The control process of a node proxy: `node nodeproxy/control-main.ts [flags]`, started by the keeper. */
import { runProgram } from "../core/process/drain.ts";
import { createLog } from "../core/process/log.ts";
import { startControl } from "./control-app.ts";
import { readConfig } from "./read-config.ts";

/** What it does after the traffic process has ended. */
const LAST_MS = 4_000;

const config = readConfig();
const log = createLog({
  name: "weft-nodeproxy-control",
  level: config.logLevel,
  ...(config.logFile === "" ? {} : { file: config.logFile }),
});
process.exit(
  await runProgram({
    log,
    drainBudgetMs: config.drainMs + LAST_MS,
    start: (signal) => startControl({ config, log, signal }),
  }),
);
