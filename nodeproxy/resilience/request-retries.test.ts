import { expect, test } from "@jest/globals";
import fc from "fast-check";
import type { TryFailure } from "../http/request-way.ts";
import { RequestRetries, retryRule } from "./request-retries.ts";

const LOST: TryFailure = { kind: "lost" };
const UNREACHABLE: TryFailure = { kind: "unreachable" };

function half(): number {
  return 0.5;
}

function status(code: number): TryFailure {
  return { kind: "status", status: code };
}

test("RequestRetries: without a rule a lost request goes once more, at once, and nothing else does", () => {
  const retries = new RequestRetries("GET", undefined, half);
  expect(retries.again(status(503))).toBe(undefined);
  expect(retries.again({ kind: "late" })).toBe(undefined);
  expect(retries.again(UNREACHABLE)).toBe(undefined);
  expect(retries.again(LOST)).toBe(0);
  expect(retries.again(LOST)).toBe(undefined);
});

test("RequestRetries: a rule's attempts, after waits that double, none shorter than what it says", () => {
  const rule = retryRule({ codes: [503], attempts: 3, backoffMs: 100 }, undefined);
  const retries = new RequestRetries("GET", rule, half);
  expect(retries.again(LOST)).toBe(0);
  expect(retries.again(status(500))).toBe(undefined);
  expect(retries.again(status(503))).toBe(150);
  expect(retries.again({ kind: "late" })).toBe(250);
  expect(retries.again(LOST)).toBe(450);
  expect(retries.again(status(503))).toBe(undefined);
});

test("RequestRetries: what a server may have begun is sent again only where it may be done twice", () => {
  const rule = retryRule({ codes: [503], attempts: 5, backoffMs: 10 }, undefined);
  for (const method of ["POST", "PATCH", "FOO"]) {
    const retries = new RequestRetries(method, rule, half);
    expect(retries.isIdempotent).toBe(false);
    for (const failure of [LOST, status(503), { kind: "late" }, { kind: "reset" }] as const) {
      expect(retries.again(failure)).toBe(undefined);
    }
    expect(retries.again({ kind: "refused" })).toBe(0);
    expect(retries.again(UNREACHABLE)).toBe(15);
  }
});

test("RequestRetries: a TrafficPolicy's rule holds for the failures that it names, and only where the route has none", () => {
  const policy = {
    attempts: 9,
    codes: [502],
    grpcCodes: [14],
    on: ["late"],
    backoffMs: 10,
    maxBackoffMs: 12,
  } as const;
  const retries = new RequestRetries("GET", retryRule(undefined, policy), half);
  expect(retries.again(status(503))).toBe(undefined);
  expect(retries.again(UNREACHABLE)).toBe(undefined);
  expect(retries.again({ kind: "reset" })).toBe(undefined);
  expect(retries.again({ kind: "late" })).toBe(11);
  expect(retries.again(status(502))).toBe(11);
  const route = { codes: [503], attempts: 1, backoffMs: 100 };
  const routed = new RequestRetries("GET", retryRule(route, policy), half);
  expect(routed.again(status(502))).toBe(undefined);
  expect(routed.again(status(503))).toBe(150);
});

test("RequestRetries: a call of gRPC is made again for a status that the policy names, and not because it took long", () => {
  const policy = {
    attempts: 2,
    codes: [503],
    grpcCodes: [14],
    on: ["late", "reset"],
    backoffMs: 10,
    maxBackoffMs: 10,
  } as const;
  const retries = new RequestRetries("POST", policy, half);
  expect(retries.again({ kind: "late" })).toBe(undefined);
  expect(retries.again({ kind: "reset" })).toBe(undefined);
  expect(retries.again({ kind: "grpc", status: 13 })).toBe(undefined);
  expect(retries.again({ kind: "grpc", status: 14 })).toBe(10);
  expect(retries.again({ kind: "grpc", status: 14 })).toBe(10);
  expect(retries.again({ kind: "grpc", status: 14 })).toBe(undefined);
});

test("RequestRetries: never more tries than the rule says and one, never before its wait", () => {
  const kinds = fc.constantFrom<TryFailure>(LOST, UNREACHABLE, status(503), { kind: "refused" });
  const rules = fc.record({
    codes: fc.constant([503]),
    grpcCodes: fc.constant([]),
    on: fc.constant(["connect-failure", "refused", "reset"] as const),
    attempts: fc.nat(10),
    backoffMs: fc.integer({ min: 1, max: 600_000 }),
    maxBackoffMs: fc.integer({ min: 1, max: 600_000 }),
  });
  fc.assert(
    fc.property(
      rules,
      fc.array(kinds),
      fc.double({ min: 0, max: 0.999, noNaN: true }),
      (rule, all, drawn) => {
        const retries = new RequestRetries("GET", rule, () => drawn);
        const waits = all.map((failure) => retries.again(failure)).filter((ms) => ms !== undefined);
        const free =
          all.findIndex(({ kind }) => kind === "lost" || kind === "refused") >= 0 ? 1 : 0;
        expect(waits.length).toBe(Math.min(all.length, rule.attempts + free));
        expect(waits.filter((ms) => ms === 0)).toHaveLength(free);
        expect(waits.every((ms) => ms === 0 || ms >= rule.backoffMs)).toBe(true);
      },
    ),
  );
});
