/**
 * The way to what serves HTTP: is the port of a call HTTP, and if so, who takes it. That is loaded with the first such call:
 * forty modules and Node's own HTTP are a tenth of the traffic process's memory, and many nodes need none of it.
 */
import type { Enrolment, HttpVersion } from "../../core/model/enrolment.ts";
import type { InboundCall } from "./carry-in.ts";
import type { ServedCall, serveRequests } from "./serve-requests.ts";

let serving: typeof serveRequests | undefined;

/** `undefined` for ports that are opaque. */
export function httpVersionAt(
  enrolment: Enrolment | undefined,
  port: number,
): HttpVersion | undefined {
  return enrolment?.httpPorts?.find((each) => each.port === port)?.version;
}

/** Never throws. The caller's side stays paused until then. */
export function serveHttpCall(call: InboundCall, served: ServedCall): void {
  if (serving) serving(call, served);
  else void serveLoaded(call, served);
}

/** Stopping waits for it as for a dial. */
async function serveLoaded(call: InboundCall, served: ServedCall): Promise<void> {
  const { connections } = call.pod;
  connections.dialBegun();
  const { serveRequests } = await import("./serve-requests.ts");
  serving = serveRequests;
  if (call.front.destroyed) connections.report(served.facts, { code: "caller_gone" });
  else serveRequests(call, served);
  connections.dialEnded();
}
