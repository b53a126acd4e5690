import { expect, test } from "@jest/globals";
import fc from "fast-check";
import { readContext, withContext } from "./trace-context.ts";

const TRACE = "0af7651916cd43dd8448eb211c80319c";
const OTHER = "4bf92f3577b34da6a3ce929d0e0e4736";
const PARENT = "b7ad6b7169203331";
const SPAN = "00f067aa0ba902b7";
const SHORT = "a3ce929d0e0e4736";
const W3C = ["traceparent", `00-${TRACE}-${PARENT}-01`] as const;

interface Read {
  readonly traceId: string;
  readonly isSampled: boolean | undefined;
  readonly state?: string;
}

const NONE: Read = { traceId: "", isSampled: undefined };
const CASES: readonly [string, readonly string[], Read][] = [
  ["nothing", ["host", "a"], NONE],
  ["W3C", W3C, { traceId: TRACE, isSampled: true }],
  [
    "W3C, not sampled",
    ["traceparent", `00-${TRACE}-${PARENT}-00`],
    { traceId: TRACE, isSampled: false },
  ],
  [
    "several lines of tracestate are one",
    [...W3C, "tracestate", "a=1", "tracestate", "b=2"],
    { traceId: TRACE, isSampled: true, state: "a=1,b=2" },
  ],
  ["two traceparents are none", [...W3C, ...W3C], NONE],
  ["tracestate without traceparent is nothing", ["tracestate", "a=1"], NONE],
  ["tracestate beside a traceparent of nobody", ["traceparent", "00", "tracestate", "a=1"], NONE],
  ["B3", ["b3", `${TRACE}-${PARENT}-1-${SPAN}`], { traceId: TRACE, isSampled: true }],
  [
    "B3 of 64 bits",
    ["b3", `${SHORT}-${PARENT}-0`],
    { traceId: `${"0".repeat(16)}${SHORT}`, isSampled: false },
  ],
  ["B3, debug", ["b3", `${TRACE}-${PARENT}-d`], { traceId: TRACE, isSampled: true }],
  ["B3 that defers", ["b3", `${TRACE}-${PARENT}`], { traceId: TRACE, isSampled: undefined }],
  ["B3 that declines", ["b3", "0"], { traceId: "", isSampled: false }],
  ["B3 that accepts", ["b3", "1"], { traceId: "", isSampled: true }],
  [
    "B3 in upper case",
    ["b3", `${TRACE.toUpperCase()}-${PARENT}-1`],
    { traceId: TRACE, isSampled: true },
  ],
  ["B3 of zeros", ["b3", `${"0".repeat(32)}-${PARENT}-1`], NONE],
  ["B3 that is none", ["b3", `${TRACE}-${PARENT}-2`], NONE],
  [
    "B3 in several fields",
    ["x-b3-traceid", TRACE, "x-b3-spanid", PARENT, "x-b3-sampled", "1"],
    { traceId: TRACE, isSampled: true },
  ],
  [
    "B3 in several fields that defers",
    ["x-b3-traceid", TRACE, "x-b3-spanid", PARENT],
    { traceId: TRACE, isSampled: undefined },
  ],
  [
    "B3 in several fields, debug",
    ["x-b3-traceid", TRACE, "x-b3-spanid", PARENT, "x-b3-flags", "1"],
    { traceId: TRACE, isSampled: true },
  ],
  ["B3 in several fields that declines", ["x-b3-sampled", "0"], { traceId: "", isSampled: false }],
  ["B3 in several fields without a span", ["x-b3-traceid", TRACE, "x-b3-sampled", "1"], NONE],
  [
    "the single form before the other",
    ["b3", `${TRACE}-${PARENT}-1`, "x-b3-traceid", OTHER, "x-b3-spanid", PARENT],
    { traceId: TRACE, isSampled: true },
  ],
  ["W3C before B3", ["b3", `${OTHER}-${PARENT}-0`, ...W3C], { traceId: TRACE, isSampled: true }],
  [
    "B3 where W3C cannot be read",
    ["traceparent", "none", "b3", `${OTHER}-${PARENT}-1`],
    { traceId: OTHER, isSampled: true },
  ],
];

test.each(CASES)("readContext(): %s", (_name, fields, { traceId, isSampled, state = "" }) => {
  expect(readContext(fields)).toMatchObject({ traceId, isSampled, state });
  expect(readContext(fields).parentId).toBe(traceId === "" ? "" : PARENT);
});

const SENT = { traceId: TRACE, spanId: SPAN, flags: 1 };
const SENT_W3C = ["traceparent", `00-${TRACE}-${SPAN}-01`];

const WRITTEN: readonly [string, readonly string[], readonly string[]][] = [
  ["nothing came: W3C alone", ["host", "a"], ["host", "a", ...SENT_W3C]],
  ["W3C, with its state", [...W3C, "tracestate", "a=1"], [...SENT_W3C, "tracestate", "a=1"]],
  ["the state of nobody's trace goes", ["tracestate", "a=1"], SENT_W3C],
  [
    "B3, and W3C beside it",
    ["b3", `${TRACE}-${PARENT}-1`],
    [...SENT_W3C, "b3", `${TRACE}-${SPAN}-1-${PARENT}`],
  ],
  [
    "B3 of debug stays that",
    ["b3", `${TRACE}-${PARENT}-d`],
    [...SENT_W3C, "b3", `${TRACE}-${SPAN}-d-${PARENT}`],
  ],
  [
    "B3 in several fields",
    ["x-b3-traceid", TRACE, "x-b3-spanid", PARENT, "x-b3-flags", "1"],
    [
      ...SENT_W3C,
      "x-b3-traceid",
      TRACE,
      "x-b3-spanid",
      SPAN,
      "x-b3-parentspanid",
      PARENT,
      "x-b3-flags",
      "1",
    ],
  ],
  [
    "both forms, and W3C's trace in both",
    [...W3C, "b3", `${OTHER}-${PARENT}-d`, "x-b3-sampled", "1"],
    [
      ...SENT_W3C,
      "b3",
      `${TRACE}-${SPAN}-1-${PARENT}`,
      "x-b3-traceid",
      TRACE,
      "x-b3-spanid",
      SPAN,
      "x-b3-parentspanid",
      PARENT,
      "x-b3-sampled",
      "1",
    ],
  ],
  [
    "a decision alone begins a trace in that form",
    ["b3", "1"],
    [...SENT_W3C, "b3", `${TRACE}-${SPAN}-1`],
  ],
];

test.each(WRITTEN)("withContext(): %s", (_name, fields, written) => {
  expect(withContext(fields, readContext(fields), SENT)).toEqual(written);
});

test("withContext(): an id of 64 bits stays one in B3, and has zeros before it in W3C", () => {
  const caller = readContext(["b3", `${SHORT}-${PARENT}-1`]);
  const fields = withContext([], caller, { ...SENT, traceId: caller.traceId });
  expect(fields).toEqual([
    "traceparent",
    `00-${"0".repeat(16)}${SHORT}-${SPAN}-01`,
    "b3",
    `${SHORT}-${SPAN}-1-${PARENT}`,
  ]);
});

const TEXT = fc.oneof(
  fc.string(),
  fc.constantFrom("0", "1", "d", TRACE, PARENT, `${TRACE}-${PARENT}-1`, `00-${TRACE}-${PARENT}-01`),
);
const NAME = fc.constantFrom(
  "host",
  "traceparent",
  "tracestate",
  "b3",
  "x-b3-traceid",
  "x-b3-spanid",
  "x-b3-sampled",
  "x-b3-flags",
);

test("withContext(): whatever came, the next hop reads the trace and the span that were sent, and all else is as it was", () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(NAME, TEXT)), fc.boolean(), (lines, isSampled) => {
      const caller = readContext(lines.flat());
      const traceId = caller.traceId === "" ? TRACE : caller.traceId;
      const sent = { traceId, spanId: SPAN, flags: isSampled ? 1 : 0 };
      const fields = withContext(lines.flat(), caller, sent);
      expect(readContext(fields)).toMatchObject({ traceId, parentId: SPAN, isSampled });
      expect(fields.filter((name, i) => i % 2 === 0 && name === "host")).toHaveLength(
        lines.filter(([name]) => name === "host").length,
      );
      const b3 = fields.indexOf("b3");
      const said = b3 < 0 ? `0-${SPAN}` : (fields[b3 + 1] ?? "");
      expect(said.split("-")[1]).toBe(SPAN);
    }),
  );
});
