import { afterEach, beforeEach, expect, jest, test } from "@jest/globals";
import { pino } from "pino";
import type { CaLook } from "./authority.ts";
import { CaError } from "./ca-error.ts";
import { CaKeeper } from "./ca-keeper.ts";

const HOUR_MS = 3_600_000;
let logged: { level: number; msg: string; reason?: string; notAfter?: string }[] = [];
let changes = 0;
let answer: () => CaLook;
const asked: boolean[] = [];
let keeper: CaKeeper;

beforeEach(() => {
  jest.useFakeTimers({ now: Date.parse("2026-01-01T00:00:00Z") });
  logged = [];
  changes = 0;
  keeper = new CaKeeper({
    authority: {
      look: async ({ mayWrite }) => {
        asked.push(mayWrite);
        return answer();
      },
      expiry: () => ({ rootMs: 0, intermediateMs: Date.parse("2026-02-01T00:00:00Z") }),
    },
    place: "secret weft-system/weft-ca",
    log: pino({ level: "trace" }, { write: (line) => logged.push(JSON.parse(line)) }),
    onChanged: () => (changes += 1),
  });
});

afterEach(() => {
  jest.useRealTimers();
});

test("look(): tells of a change whoever has to make things anew, and nobody of anything else", async () => {
  for (const change of ["none", "missing", "restored", "taken", "renewed"] as const) {
    answer = () => ({ change, isEnding: false });
    await keeper.look(true);
  }
  expect(changes).toBe(2);
  expect(logged.map(({ msg }) => msg)).toEqual([
    "CA was removed, and is put back",
    "CA was exchanged, and the new one signs",
    "intermediate renewed",
  ]);
});

test("look(): what stays wrong is told once an hour, with its reason", async () => {
  answer = () => {
    throw new CaError("ca_key_mismatch", "the key does not belong to it");
  };
  await keeper.look(false);
  await keeper.look(false);
  expect(asked.slice(-2)).toEqual([false, false]);
  expect(logged).toMatchObject([{ level: 50, reason: "ca_key_mismatch" }]);
  jest.advanceTimersByTime(HOUR_MS);
  await keeper.look(false);
  expect(logged).toHaveLength(2);
  expect(changes).toBe(0);
});

test("look(): warns of an end that nobody puts off, and says when it is", async () => {
  answer = () => ({ change: "none", isEnding: true });
  await keeper.look(true);
  await keeper.look(true);
  expect(logged).toMatchObject([
    { level: 40, reason: "ca_ending", notAfter: "2026-02-01T00:00:00.000Z" },
  ]);
});
