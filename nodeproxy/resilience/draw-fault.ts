/** Which faults of a TrafficPolicy does one request meet? Pure; chance is handed in. */
import type { Fault, FaultAbort } from "../../core/model/http-settings.ts";

const MILLION = 1_000_000;

export interface DrawnFault {
  /** Before anything else; 0: none. */
  readonly delayMs: number;
  /** The answer, in place of the Service's. */
  readonly abort: FaultAbort | undefined;
}

/** Each by its own chance, as in Istio. `draw`: in [0, 1). `undefined`: none. */
export function drawFault(fault: Fault | undefined, draw: () => number): DrawnFault | undefined {
  if (!fault) return undefined;
  const { delay, abort } = fault;
  const isDelayed = delay !== undefined && isDrawn(delay.partsPerMillion, draw);
  const isAborted = abort !== undefined && isDrawn(abort.partsPerMillion, draw);
  if (!isDelayed && !isAborted) return undefined;
  return { delayMs: isDelayed ? delay.delayMs : 0, abort: isAborted ? abort : undefined };
}

function isDrawn(partsPerMillion: number, draw: () => number): boolean {
  return draw() * MILLION < partsPerMillion;
}
