/** Does an answer say that the Service fails, and not that the caller has asked for what it cannot have? Pure. */

/** UNKNOWN, DEADLINE_EXCEEDED, INTERNAL, UNAVAILABLE and DATA_LOSS: what stands for a status from 500 on. */
const OF_GRPC: ReadonlySet<number> = new Set([2, 4, 13, 14, 15]);

export function isServiceFault(status: number): boolean {
  return status >= 500;
}

export function isServiceFaultOfGrpc(status: number): boolean {
  return OF_GRPC.has(status);
}
