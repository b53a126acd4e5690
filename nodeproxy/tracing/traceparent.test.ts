import { expect, test } from "@jest/globals";
import { formatTraceparent, parseTraceparent } from "./traceparent.ts";

const TRACE = "0af7651916cd43dd8448eb211c80319c";
const PARENT = "b7ad6b7169203331";

const READ: readonly [string, number][] = [
  [`00-${TRACE}-${PARENT}-01`, 1],
  [`00-${TRACE}-${PARENT}-00`, 0],
  [`00-${TRACE}-${PARENT}-03`, 3],
  // Flags that nobody knows yet are not sent on.
  [`00-${TRACE}-${PARENT}-ff`, 3],
  // "The version … is 00 … parse higher versions: only those parts that they know".
  [`01-${TRACE}-${PARENT}-01`, 1],
  [`cc-${TRACE}-${PARENT}-01-what-the-future-will-be-like`, 1],
];

test.each(READ)("parseTraceparent(): %s", (text, flags) => {
  expect(parseTraceparent(text)).toEqual({ traceId: TRACE, parentId: PARENT, flags });
});

const UNREADABLE = [
  "",
  "00",
  `00-${TRACE}-${PARENT}`,
  `00-${TRACE}-${PARENT}-1`,
  `00-${TRACE}-${PARENT}-01-more`,
  `cc-${TRACE}-${PARENT}-01.what`,
  `ff-${TRACE}-${PARENT}-01`,
  `0-${TRACE}-${PARENT}-01`,
  `00-${"0".repeat(32)}-${PARENT}-01`,
  `00-${TRACE}-${"0".repeat(16)}-01`,
  `00-${TRACE.toUpperCase()}-${PARENT}-01`,
  `00-${TRACE.slice(1)}-${PARENT}-01`,
  `00-${TRACE}-${PARENT}-0x`,
  ` 00-${TRACE}-${PARENT}-01`,
  `00-${TRACE}-${PARENT}-01\n`,
  `00_${TRACE}_${PARENT}_01`,
];

test.each(UNREADABLE)("parseTraceparent(): not %j", (text) => {
  expect(parseTraceparent(text)).toBeUndefined();
});

test("formatTraceparent(): what it writes is read again", () => {
  const text = formatTraceparent({ traceId: TRACE, spanId: PARENT, flags: 3 });
  expect(text).toBe(`00-${TRACE}-${PARENT}-03`);
  expect(parseTraceparent(text)).toEqual({ traceId: TRACE, parentId: PARENT, flags: 3 });
});
