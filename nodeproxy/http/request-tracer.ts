/** Who begins the spans of requests. There is none while the mesh has no tracing. */
import type { RequestHead } from "./message.ts";

export interface RequestTracer {
  /** As it goes on: with the trace that it belongs to in its fields, and where that is sampled with the span of this hop. */
  begin(head: RequestHead): RequestHead;
}
