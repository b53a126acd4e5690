/** The traffic process of a node proxy: `node nodeproxy/traffic-main.ts [flags]`, started by the keeper. */
import { runProgram } from "../core/process/drain.ts";
import { createLog } from "../core/process/log.ts";
import { createMetrics } from "../core/process/metrics.ts";
import { createTrafficLine } from "./channel/traffic-line.ts";
import { readConfig } from "./read-config.ts";
import { createAccessLog } from "./telemetry/access-log.ts";
import { ConnectionMetrics } from "./telemetry/connection-metrics.ts";
import { createTraffic } from "./traffic-app.ts";
import { trafficLinePath } from "./traffic-line-path.ts";
import { VERSION } from "./version.ts";

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
      const registry = createMetrics({ name: "traffic", version: VERSION, node: process.version });
      registry.setDefaultLabels({ process: "traffic" });
      const metrics = new ConnectionMetrics(registry);
      const accessLog = createAccessLog({
        file: config.accessLogFile,
        onDropped: () => metrics.accessLineDropped(),
      });
      const traffic = createTraffic({
        node: config.node,
        log,
        metrics,
        metricsText: () => registry.metrics(),
        accessLog,
        limits: config.podLimits,
        send: (message) => line.send(message),
      });
      const line = createTrafficLine({
        path: trafficLinePath(config),
        log,
        onMessage: (message, descriptors) => traffic.onMessage(message, descriptors),
      });
      return {
        close: async () => {
          await traffic.leave(config.drainMs);
          line.close();
          traffic.close();
          await accessLog.close();
        },
      };
    },
  }),
);
