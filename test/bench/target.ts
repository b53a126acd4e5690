/** One thing that the layer-4 bench measures: how it is started between two pods, and which processes it is. */
import type { Program } from "../world/program.ts";
import type { World, WorldPod } from "../world/world.ts";

export interface BenchSetting {
  readonly world: World;
  readonly client: WorldPod;
  readonly server: WorldPod;
  readonly folder: string;
  readonly httpPort: number;
  readonly bulkPort: number;
}

export interface RunningTarget {
  /** The proxies of both hops: what CPU and memory are counted of. */
  readonly programs: readonly Program[];
  /** Ends them and what else was started, and takes the rules away. */
  close(): Promise<void>;
}

export interface BenchTarget {
  readonly name: string;
  /** Resolves once a request from the client's pod is answered through it. */
  start(setting: BenchSetting): Promise<RunningTarget>;
}
