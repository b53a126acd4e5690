/** One thing that the HTTP bench measures: how it is started between a caller's pod and a Service over the server's. */
import type { BenchSetting, RunningTarget } from "./target.ts";

export interface HttpSetting extends Omit<BenchSetting, "bulkPort"> {
  /** Of the Service, whose ports are those of the server. */
  readonly serviceAddress: string;
  readonly grpcPort: number;
}

export interface HttpTarget {
  readonly name: string;
  /** Resolves once the proxies are there. */
  start(setting: HttpSetting): Promise<RunningTarget>;
}
