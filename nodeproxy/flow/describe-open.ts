/** An open connection as the admin endpoint lists it, and why one is ended by us. */
import type { OpenConnection } from "../channel/messages.ts";
import type { ConnectionFacts } from "./connection-facts.ts";

/** `reason`: a stable code. */
export interface Cut {
  readonly reason: string;
  readonly policy?: string;
  readonly rule?: number;
  /** What runs may come to its end: nothing further begins. For connections that serve requests. */
  readonly isGentle?: true;
}

export function describeOpen(
  { id, facts }: { readonly id: number; readonly facts: ConnectionFacts },
  bytes: Pick<OpenConnection, "bytesSent" | "bytesReceived">,
): OpenConnection {
  const { direction, pod, source, destination, ...rest } = facts;
  return {
    id,
    direction,
    workload: pod,
    peer: (direction === "inbound" ? source : destination).identity,
    source: rest.sourceAddress,
    destination: rest.destinationAddress,
    tunnelled: rest.tunnelled,
    sinceMs: rest.sinceMs,
    ...bytes,
  };
}
