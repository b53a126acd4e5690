/** The traffic process of a node proxy: `node nodeproxy/traffic-main.ts [flags]`, started by the keeper. */
import { runProgram } from "../core/process/drain.ts";
import { createLog } from "../core/process/log.ts";
import { createTrafficLine } from "./channel/traffic-line.ts";
import { openTraffic } from "./open-traffic.ts";
import { readConfig } from "./read-config.ts";
import { trafficLinePath } from "./traffic-line-path.ts";

const config = readConfig();
const log = createLog({
  name: "weft-nodeproxy-traffic",
  level: config.logLevel,
  ...(config.logFile === "" ? {} : { file: config.logFile }),
});
process.exit(
  await runProgram({
    log,
    drainBudgetMs: config.drainMs,
    start: async () => {
      const traffic = await openTraffic({ config, log, send: (message) => line.send(message) });
      const line = createTrafficLine({
        path: trafficLinePath(config),
        log,
        onMessage: (message, descriptors) => traffic.onMessage(message, descriptors),
      });
      return {
        close: async () => {
          await traffic.leave(config.drainMs);
          line.close();
          await traffic.close();
        },
      };
    },
  }),
);
