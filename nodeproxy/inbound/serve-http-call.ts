/**
 * The way to what serves the calls of ports that are HTTP. That is loaded with the first such call:
 * forty modules and Node's own HTTP are a tenth of the traffic process's memory, and many nodes need none of it.
 */
import type { InboundCall } from "./carry-in.ts";
import type { ServedCall, serveRequests } from "./serve-requests.ts";

let serving: typeof serveRequests | undefined;

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
