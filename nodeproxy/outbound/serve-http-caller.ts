/**
 * The way to what serves callers' HTTP: is what a pod calls HTTP, and if so, who takes the connection. That is loaded with
 * the first such call, as for inbound ones: many nodes need none of it.
 */
import type { Side } from "../flow/side.ts";
import type { Destination, MeshView } from "./choose-upstream.ts";
import type { OutboundPod } from "./outbound-pod.ts";
import type { HttpCall } from "./route-request.ts";
import type { CallerCall, serveCaller } from "./serve-caller.ts";

let serving: typeof serveCaller | undefined;

/** `undefined` for what is opaque to its callers. */
export function httpCallAt(view: MeshView, { address, port }: Destination): HttpCall | undefined {
  const service = view.serviceAt(address);
  const version = service?.ports.find((entry) => entry.port === port)?.http;
  return service && version ? { service, port, version } : undefined;
}

/** Never throws. The caller's side stays paused until then. */
export function serveHttpCaller(pod: OutboundPod, front: Side, call: CallerCall): void {
  if (serving) serving(pod, front, call);
  else void serveLoaded(pod, front, call);
}

/** Stopping waits for it as for a dial. */
async function serveLoaded(pod: OutboundPod, front: Side, call: CallerCall): Promise<void> {
  const { connections } = pod;
  connections.dialBegun();
  const { serveCaller } = await import("./serve-caller.ts");
  serving = serveCaller;
  if (front.destroyed) {
    connections.report(call.facts, { code: "caller_gone" });
    call.facts.lease?.end();
  } else serveCaller(pod, front, call);
  connections.dialEnded();
}
