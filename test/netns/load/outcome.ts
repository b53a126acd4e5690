/** What `main.ts` measured of a mesh under load, as JSON on its standard output. */
export interface Stalled {
  readonly connections: number;
  /** Taken by the kernel and the proxies, all together. */
  readonly offeredMB: number;
  /** Resident in the processes of a node proxy, by node: before, and with half and with all of them stalled. */
  readonly before: readonly Resident[];
  readonly half: readonly Resident[];
  readonly after: readonly Resident[];
}

export interface Resident {
  /** Of the traffic process alone. */
  readonly trafficKB: number;
  readonly allKB: number;
}

/** 99th percentile of one request after the other, milliseconds; medians of the rounds. */
export interface Latencies {
  /** Who asks, both node proxies and who answers went before all else on the machine. */
  readonly isUrgent: boolean;
  readonly alone: number;
  /** Beside a bulk transfer in the same tunnel, and in that of another pod. */
  readonly besideOwnBulk: number;
  readonly besideOthersBulk: number;
  /** Beside another pod's transfers on `MANY` connections at once. */
  readonly besideOthersMany: number;
  /** Beside another pod that opens connections as fast as it can. */
  readonly besideFlood: number;
  /** Calls of the flood that were answered, so that there was one. */
  readonly floodCalls: number;
  readonly bulkMB: number;
}

export interface LoadOutcome {
  readonly upload: Stalled;
  readonly download: Stalled;
  readonly latencies: Latencies;
}

/** What the stage is asked for, as JSON in its first argument. */
export interface LoadWish {
  readonly connections: number;
  /** Offered to each. */
  readonly megabytes: number;
  readonly rounds: number;
  readonly requests: number;
}
