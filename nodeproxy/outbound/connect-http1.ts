/** Gives a request a connection of HTTP/1 to the endpoint that was chosen for it: a free one of the pod's, or a new one. */
import type { ReadLane } from "../flow/read-lane.ts";
import type { BackUser, Reaching } from "../http/http1-back.ts";
import type { ServiceCall } from "./choose-upstream.ts";
import { type Chosen, endpointRefOf, openForRequest, serviceNameOf } from "./open-for-request.ts";
import { statusOfUnreachable } from "./open-upstream.ts";
import type { OutboundPod } from "./outbound-pod.ts";

/** Who waits for a connection, until it has one or does not want it any more. */
export interface Waiting extends Reaching {
  readonly user: BackUser;
  readonly isDropped: boolean;
}

export interface ConnectWish {
  readonly call: ServiceCall;
  readonly route: Chosen;
  /** Requests that one connection may carry; 0: no limit. */
  readonly most: number;
  /** What waits there may have gone the way of the one that was lost. */
  readonly isNew: boolean;
  /** In place of telling the user; not where it does not wait any more. */
  readonly failed: (code: string) => void;
}

export function waitingFor(user: BackUser): Waiting {
  const waiting = {
    user,
    isDropped: false,
    drop() {
      waiting.isDropped = true;
    },
  };
  return waiting;
}

/** Within the call where one is free. */
export function connectHttp1(
  caller: { readonly pod: OutboundPod; readonly lane: ReadLane },
  waiting: Waiting,
  wish: ConnectWish,
): void {
  const { call, route, most, isNew } = wish;
  const back = isNew ? undefined : caller.pod.pools.http1.take(endpointRefOf(call, route), most);
  if (back) back.use(waiting.user);
  else void open(caller, waiting, wish);
}

async function open(
  { pod, lane }: { readonly pod: OutboundPod; readonly lane: ReadLane },
  waiting: Waiting,
  { call, route, most, failed }: ConnectWish,
): Promise<void> {
  const opened = await openForRequest(pod, route, serviceNameOf(call));
  if (typeof opened === "string") {
    if (!waiting.isDropped) failed(opened);
    return;
  }
  const { side, lease } = opened;
  const back = pod.pools.http1.add(endpointRefOf(call, route), side, { lease, lane, most });
  if (waiting.isDropped) pod.pools.http1.onFree(back);
  else back.use(waiting.user);
}

export function tellUnreachable({ isDropped, user }: Waiting, code: string): void {
  if (!isDropped) user.onUnreachable(code, statusOfUnreachable(code));
}
