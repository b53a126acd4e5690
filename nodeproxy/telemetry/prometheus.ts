/** What of prom-client is handed to those who count: it is loaded when somebody may look, not when counting begins. */
import type { Counter, Histogram } from "prom-client";

export interface Prometheus {
  readonly Counter: typeof Counter;
  readonly Histogram: typeof Histogram;
}
