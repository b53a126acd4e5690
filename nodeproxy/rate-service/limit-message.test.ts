import { create, fromBinary, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import { durationFromMs } from "@bufbuild/protobuf/wkt";
import { expect, test } from "@jest/globals";
import fc from "fast-check";
import {
  RateLimitResponse_Code as Code,
  RateLimitRequestSchema,
  RateLimitResponseSchema,
  RateLimitResponse_RateLimit_Unit as Unit,
} from "../../core/wire/gen/envoy/service/ratelimit/v3/rls_pb.ts";
import { AskError } from "../ask/ask-error.ts";
import { answerIn, questionBytes } from "./limit-message.ts";

const LIMITS = [
  { name: "a", entries: [["tenant", "blue"]] },
  {
    name: "b",
    entries: [
      ["path", "/x"],
      ["who", "-"],
    ],
  },
] as const;

type Response = MessageInitShape<typeof RateLimitResponseSchema>;

function answer(response: Response, limits: Parameters<typeof answerIn>[1] = LIMITS) {
  return answerIn(
    toBinary(RateLimitResponseSchema, create(RateLimitResponseSchema, response)),
    limits,
  );
}

test("questionBytes(): one descriptor for each limit, with its entries in their order", () => {
  const asked = fromBinary(
    RateLimitRequestSchema,
    questionBytes({ domain: "weft", limits: LIMITS }),
  );
  expect(asked).toMatchObject({
    domain: "weft",
    hitsAddend: 0,
    descriptors: [
      { entries: [{ key: "tenant", value: "blue" }] },
      {
        entries: [
          { key: "path", value: "/x" },
          { key: "who", value: "-" },
        ],
      },
    ],
  });
});

test("questionBytes(): is what the published protocol says, byte for byte", () => {
  const limits = [{ name: "a", entries: [["k", "v"]] }] as const;
  // RateLimitRequest: domain = 1, descriptors = 2; RateLimitDescriptor: entries = 1; Entry: key = 1, value = 2.
  const bytes = Buffer.from(questionBytes({ domain: "d", limits })).toString("hex");
  expect(bytes).toBe("0a0164" + "1208" + "0a06" + "0a016b" + "120176");
});

test("answerIn(): what is over its limit waits for its window's end, the others tell what they have left", () => {
  const currentLimit = { requestsPerUnit: 5, unit: Unit.MINUTE };
  const said = answer({
    overallCode: Code.OVER_LIMIT,
    statuses: [
      { code: Code.OVER_LIMIT, currentLimit, durationUntilReset: durationFromMs(2500) },
      { code: Code.OK, currentLimit, limitRemaining: 3, durationUntilReset: durationFromMs(2500) },
    ],
    rawBody: Buffer.from("slow down"),
  });
  expect(said).toEqual({
    isRefused: true,
    applied: [
      { name: "a", requests: 5, windowMs: 60_000, waitMs: 2500, left: 0, moreMs: 2500 },
      { name: "b", requests: 5, windowMs: 60_000, waitMs: 0, left: 3, moreMs: 2500 },
    ],
    fields: [],
    body: "slow down",
  });
});

test("answerIn(): a limit that the service does not know, or has no window, tells nothing", () => {
  const statuses = [
    { code: Code.OK },
    { code: Code.OK, currentLimit: { requestsPerUnit: 1, unit: Unit.UNKNOWN } },
  ];
  expect(answer({ overallCode: Code.OK, statuses }).applied).toEqual([]);
  expect(answer({ overallCode: Code.OK, statuses: [] }).applied).toEqual([]);
});

test("answerIn(): a window without a time until its end is waited for whole", () => {
  const currentLimit = { requestsPerUnit: 1, unit: Unit.HOUR };
  const statuses = [{ code: Code.OVER_LIMIT, currentLimit }];
  const [applied] = answer({ overallCode: Code.OVER_LIMIT, statuses }).applied;
  expect(applied).toMatchObject({ waitMs: 3_600_000, moreMs: 3_600_000 });
});

test("answerIn(): fields for the caller, but none that makes an answer what it is", () => {
  const lines = [
    ["RateLimit-Limit", "5, 5;w=60"],
    ["content-length", "0"],
    ["Content-Type", "text/html"],
    ["grpc-status", "0"],
    ["X-Weft-Reason", "forged"],
    ["transfer-encoding", "chunked"],
    ["x-split", "a\r\nb: c"],
    ["bad name", "x"],
  ] as const;
  const responseHeadersToAdd = [
    ...lines.map(([key, value]) => ({ key, value })),
    { key: "x-raw", rawValue: Buffer.from("raw") },
  ];
  expect(answer({ overallCode: Code.OK, responseHeadersToAdd }).fields).toEqual([
    "ratelimit-limit",
    "5, 5;w=60",
    "x-raw",
    "raw",
  ]);
});

const anyCode = fc.constantFrom(Code.UNKNOWN, Code.OK, Code.OVER_LIMIT);
const anyStatus = fc
  .record({
    code: anyCode,
    isKnown: fc.boolean(),
    requestsPerUnit: fc.nat(1_000_000),
    unit: fc.constantFrom(...Object.values(Unit)),
    limitRemaining: fc.nat(1_000_000),
    resetMs: fc.option(fc.integer({ min: -1000, max: 86_400_000 })),
  })
  .map(({ code, isKnown, requestsPerUnit, unit, limitRemaining, resetMs }) => ({
    code,
    limitRemaining,
    ...(isKnown ? { currentLimit: { requestsPerUnit, unit } } : {}),
    ...(resetMs === null ? {} : { durationUntilReset: durationFromMs(resetMs) }),
  }));

/** What it comes to: refused, passed, or why there is no answer. */
function outcome(bytes: Uint8Array): string {
  try {
    return answerIn(bytes, LIMITS).isRefused ? "refused" : "passed";
  } catch (error) {
    return error instanceof AskError ? error.reason : String(error);
  }
}

const OUTCOMES = new Map<Code, string>([
  [Code.UNKNOWN, "failed"],
  [Code.OK, "passed"],
  [Code.OVER_LIMIT, "refused"],
]);

test("answerIn(): the code for the whole alone decides, whatever the statuses are; without one there is no answer", () => {
  fc.assert(
    fc.property(anyCode, fc.array(anyStatus, { maxLength: 4 }), (overallCode, statuses) => {
      const response = create(RateLimitResponseSchema, { overallCode, statuses });
      expect(outcome(toBinary(RateLimitResponseSchema, response))).toBe(OUTCOMES.get(overallCode));
    }),
  );
});

test("answerIn(): nobody waits for longer than until there is more, nor for what is not over its limit", () => {
  fc.assert(
    fc.property(fc.array(anyStatus, { maxLength: 4 }), (statuses) => {
      const { applied } = answer({ overallCode: Code.OK, statuses });
      for (const { waitMs, moreMs, windowMs } of applied) {
        const isWhole = moreMs >= 0 && windowMs > 0 && (waitMs === 0 || waitMs === moreMs);
        expect(isWhole).toBe(true);
      }
    }),
  );
});

test("answerIn(): whatever bytes come, it is an answer or a failure to ask", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 60 }), (bytes) => {
      expect(["refused", "passed", "failed"]).toContain(outcome(bytes));
    }),
  );
});
