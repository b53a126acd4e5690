/**
 * Which trace does a request belong to, and what is said of that when it goes on? W3C Trace Context, and B3 in its two
 * forms; where a request has both, W3C rules. Pure.
 *
 * A trace goes on in every form that it came in, and by W3C always.
 */
import type { FieldLines } from "../http/message.ts";
import { B3_MULTI, type B3Lines, b3Fields, readB3 } from "./b3-context.ts";
import { formatTraceparent, parseTraceparent, SAMPLED } from "./traceparent.ts";

/** What a request came with. */
export interface CallerContext {
  /** 32 hexadecimal digits; "" where nobody has begun a trace. */
  readonly traceId: string;
  /** Of the caller's span; "" where there is none. */
  readonly parentId: string;
  /** `undefined`: it is for us to say. */
  readonly isSampled: boolean | undefined;
  /** `traceparent`'s flags; 0 where there is none. */
  readonly flags: number;
  /** All lines of `tracestate`, as one. */
  readonly state: string;
  readonly b3: B3Forms;
}

/** Which of them are to be written. */
export interface B3Forms {
  readonly isSingle: boolean;
  readonly isMulti: boolean;
  /** As it came: of 16 digits where the caller knows no longer ones. */
  readonly traceId: string;
  /** Sampled whatever anybody else says. */
  readonly isDebug: boolean;
}

/** Of the span that the request goes on with. */
export interface SentContext {
  readonly traceId: string;
  readonly spanId: string;
  readonly flags: number;
}

const NO_B3: B3Forms = { isSingle: false, isMulti: false, traceId: "", isDebug: false };
const NOBODY: CallerContext = {
  traceId: "",
  parentId: "",
  isSampled: undefined,
  flags: 0,
  state: "",
  b3: NO_B3,
};

interface Lines extends B3Lines {
  traceparent: string | undefined;
  /** "If the vendor failed to parse traceparent …": several are none. */
  parents: number;
  state: string;
}

export function readContext(fields: FieldLines): CallerContext {
  const lines = linesOf(fields);
  if (!lines) return NOBODY;
  const b3 = readB3(lines);
  const forms: B3Forms = {
    isSingle: lines.single !== undefined,
    isMulti: lines.isMulti,
    traceId: b3?.sentTraceId ?? "",
    isDebug: b3?.isDebug ?? false,
  };
  const parent = lines.parents === 1 ? parseTraceparent(lines.traceparent ?? "") : undefined;
  if (parent) {
    const { traceId, parentId, flags } = parent;
    const isSampled = (flags & SAMPLED) !== 0;
    // B3 of another trace is that of nobody who is asked.
    const own = b3?.traceId === traceId ? forms : { ...forms, traceId: "", isDebug: false };
    return { traceId, parentId, isSampled, flags, state: lines.state, b3: own };
  }
  if (!b3) return { ...NOBODY, b3: forms };
  // Without traceparent nobody may read tracestate: W3C Trace Context, 4.3.
  const { traceId, parentId, isSampled } = b3;
  return { traceId, parentId, isSampled, flags: 0, state: "", b3: forms };
}

/** In place of what the request came with. */
export function withContext(
  fields: FieldLines,
  { parentId, state, b3 }: CallerContext,
  sent: SentContext,
): FieldLines {
  const kept: string[] = [];
  for (let i = 0; i + 1 < fields.length; i += 2) {
    const name = fields[i] ?? "";
    if (!isContextName(name)) kept.push(name, fields[i + 1] ?? "");
  }
  kept.push("traceparent", formatTraceparent(sent));
  if (state !== "") kept.push("tracestate", state);
  const isSampled = (sent.flags & SAMPLED) !== 0;
  const traceId = b3.traceId === "" ? sent.traceId : b3.traceId;
  kept.push(...b3Fields(b3, { traceId, spanId: sent.spanId, parentId, isSampled }));
  return kept;
}

function isContextName(name: string): boolean {
  return name === "traceparent" || name === "tracestate" || name === "b3" || B3_MULTI.has(name);
}

/** `undefined` where none of them is there, as for most. */
function linesOf(fields: FieldLines): Lines | undefined {
  let lines: Lines | undefined;
  for (let i = 0; i + 1 < fields.length; i += 2) {
    const name = fields[i] ?? "";
    if (!isContextName(name)) continue;
    lines ??= {
      traceparent: undefined,
      parents: 0,
      state: "",
      single: undefined,
      isMulti: false,
      multi: new Map(),
    };
    take(lines, name, fields[i + 1] ?? "");
  }
  return lines;
}

function take(lines: Lines, name: string, value: string): void {
  if (name === "traceparent") {
    lines.traceparent = value;
    lines.parents += 1;
  } else if (name === "tracestate") {
    lines.state = lines.state === "" ? value : `${lines.state},${value}`;
  } else if (name === "b3") lines.single = value;
  else {
    lines.isMulti = true;
    lines.multi.set(name, value);
  }
}
