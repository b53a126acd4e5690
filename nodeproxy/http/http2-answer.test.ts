import { afterEach, beforeEach, expect, jest, test } from "@jest/globals";
import { MemorySide } from "../../test/fakes/memory-side.ts";
import { END_HEADERS, END_STREAM, FRAME, frame, headerBlock } from "../../test/netns/raw-http2.ts";
import type { ExchangeOutcome } from "./message.ts";
import { serveHttp2 } from "./serve-http2.ts";

const PREFACE = Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
/** INITIAL_WINDOW_SIZE of 0. */
const NO_WINDOW = frame([FRAME.settings, 0, 0], Buffer.of(0, 4, 0, 0, 0, 0));
const GET = headerBlock([
  [":method", "GET"],
  [":scheme", "http"],
  [":authority", "shop"],
  [":path", "/"],
]);
const LIMITS = { headBytes: 65_536, fields: 100, headTimeoutMs: 60_000 };

beforeEach(() => {
  jest.useFakeTimers({ doNotFake: ["nextTick", "setImmediate"] });
});

afterEach(() => {
  jest.useRealTimers();
});

function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

test("Http2Answer: who does not take our answer keeps its request's place for half a minute, and no longer", async () => {
  const side = new MemorySide();
  const outcomes: ExchangeOutcome[] = [];
  const served = serveHttp2(side.side, {
    gate: (head) => ({
      kind: "pass",
      head,
      hold: () => () => undefined,
      done: (outcome) => outcomes.push(outcome),
      way: {
        reach: () => ({ drop: () => undefined }),
        reachCarrier: (user) => {
          user.onUnreachable("no_endpoint");
          return { drop: () => undefined };
        },
        keptOctets: 0,
        again: () => undefined,
        requestTimeoutMs: 1_000,
        tryTimeoutMs: 0,
      },
    }),
    dial: () => {
      throw new Error("dialled");
    },
    limits: LIMITS,
    refused: () => undefined,
  });
  await nextTurn();
  side.put(PREFACE);
  side.put(NO_WINDOW);
  side.put(frame([FRAME.headers, END_HEADERS | END_STREAM, 1], GET));
  jest.advanceTimersByTime(29_999);
  await nextTurn();
  expect(outcomes).toEqual([]);
  jest.advanceTimersByTime(1);
  await nextTurn();
  expect(outcomes).toMatchObject([{ code: "no_endpoint", status: 503 }]);
  served.end();
  side.lose();
  await nextTurn();
  expect(jest.getTimerCount()).toBe(0);
});
