/** The field `traceparent` of W3C Trace Context, read and written: https://www.w3.org/TR/trace-context-2/. Pure. */

export interface Traceparent {
  readonly traceId: string;
  readonly parentId: string;
  /** Of those that are known. */
  readonly flags: number;
}

/** The caller may have recorded its span, and asks for ours. */
export const SAMPLED = 1;
/** The right-most seven octets of the trace's id are chance: level 2. */
export const RANDOM = 2;

/** "vendors MUST ignore the traceparent when …": upper case, an id of zeros, version ff. Later versions may say more behind it. */
const FORM =
  /^(?!ff)([0-9a-f]{2})-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})(-.*)?$/;

export function parseTraceparent(text: string): Traceparent | undefined {
  const [, version, traceId, parentId, flags, more] = FORM.exec(text) ?? [];
  if (traceId === undefined || parentId === undefined || flags === undefined) return undefined;
  if (version === "00" && more !== undefined) return undefined;
  return { traceId, parentId, flags: Number.parseInt(flags, 16) & (SAMPLED | RANDOM) };
}

export function formatTraceparent({
  traceId,
  spanId,
  flags,
}: {
  readonly traceId: string;
  readonly spanId: string;
  readonly flags: number;
}): string {
  return `00-${traceId}-${spanId}-0${flags}`;
}
