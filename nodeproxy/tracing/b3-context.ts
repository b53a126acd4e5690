/** B3, which Zipkin began and Istio speaks: in one field or in several, https://github.com/openzipkin/b3-propagation. Pure. */
import type { FieldLines } from "../http/message.ts";

/** The fields of the longer form. */
export const B3_MULTI: ReadonlySet<string> = new Set([
  "x-b3-traceid",
  "x-b3-spanid",
  "x-b3-parentspanid",
  "x-b3-sampled",
  "x-b3-flags",
]);

export interface B3Lines {
  /** The field `b3`. */
  single: string | undefined;
  isMulti: boolean;
  readonly multi: Map<string, string>;
}

export interface B3 {
  /** Of 32 digits; "" where only a decision came. */
  readonly traceId: string;
  /** As it came. */
  readonly sentTraceId: string;
  readonly parentId: string;
  /** `undefined`: "defer the decision". */
  readonly isSampled: boolean | undefined;
  readonly isDebug: boolean;
}

/** What is written. */
export interface SentB3 {
  readonly traceId: string;
  readonly spanId: string;
  /** "" at the beginning of a trace. */
  readonly parentId: string;
  readonly isSampled: boolean;
}

const SINGLE = /^((?:[0-9a-f]{16}){1,2})-([0-9a-f]{16})(?:-([01d]))?(?:-[0-9a-f]{16})?$/;
const TRACE_ID = /^(?:[0-9a-f]{16}){1,2}$/;
const SPAN_ID = /^[0-9a-f]{16}$/;
const ZEROS = /^0+$/;
const STATES: ReadonlyMap<string, Pick<B3, "isSampled" | "isDebug">> = new Map([
  ["", { isSampled: undefined, isDebug: false }],
  ["0", { isSampled: false, isDebug: false }],
  ["1", { isSampled: true, isDebug: false }],
  ["d", { isSampled: true, isDebug: true }],
  // Of clients that are older than the specification.
  ["true", { isSampled: true, isDebug: false }],
  ["false", { isSampled: false, isDebug: false }],
]);

/** `undefined` where it says nothing that can be read. "When both are present, the single header is preferred." */
export function readB3({ single, isMulti, multi }: B3Lines): B3 | undefined {
  const one = single === undefined ? undefined : readSingle(single.toLowerCase());
  return one ?? (isMulti ? readMulti(multi) : undefined);
}

function readSingle(text: string): B3 | undefined {
  const decision = text === "" ? undefined : STATES.get(text);
  if (decision) return { ...decision, traceId: "", sentTraceId: "", parentId: "" };
  const [, traceId, spanId, state = ""] = SINGLE.exec(text) ?? [];
  return ofIds(traceId, spanId, STATES.get(state));
}

function readMulti(fields: ReadonlyMap<string, string>): B3 | undefined {
  const isDebug = fields.get("x-b3-flags") === "1";
  const state = isDebug ? "d" : (fields.get("x-b3-sampled") ?? "").toLowerCase();
  const decision = STATES.get(state);
  const traceId = fields.get("x-b3-traceid")?.toLowerCase();
  const spanId = fields.get("x-b3-spanid")?.toLowerCase();
  if (traceId !== undefined || spanId !== undefined) return ofIds(traceId, spanId, decision);
  if (decision?.isSampled === undefined) return undefined;
  return { ...decision, traceId: "", sentTraceId: "", parentId: "" };
}

function ofIds(
  traceId = "",
  spanId = "",
  decision: Pick<B3, "isSampled" | "isDebug"> | undefined,
): B3 | undefined {
  if (!decision || !TRACE_ID.test(traceId) || !SPAN_ID.test(spanId)) return undefined;
  if (ZEROS.test(traceId) || ZEROS.test(spanId)) return undefined;
  return {
    ...decision,
    traceId: traceId.padStart(32, "0"),
    sentTraceId: traceId,
    parentId: spanId,
  };
}

export function b3Fields(
  forms: { readonly isSingle: boolean; readonly isMulti: boolean; readonly isDebug: boolean },
  { traceId, spanId, parentId, isSampled }: SentB3,
): FieldLines {
  const { isDebug } = forms;
  const state = isSampled ? "1" : "0";
  const fields: string[] = [];
  if (forms.isSingle) {
    const parent = parentId === "" ? "" : `-${parentId}`;
    fields.push("b3", `${traceId}-${spanId}-${isDebug ? "d" : state}${parent}`);
  }
  if (!forms.isMulti) return fields;
  fields.push("x-b3-traceid", traceId, "x-b3-spanid", spanId);
  if (parentId !== "") fields.push("x-b3-parentspanid", parentId);
  // "Debug implies an accept decision, so don't also send the X-B3-Sampled header."
  fields.push(...(isDebug ? ["x-b3-flags", "1"] : ["x-b3-sampled", state]));
  return fields;
}
