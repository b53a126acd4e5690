import { expect, test } from "@jest/globals";
import { DEFAULT_HTTP_SETTINGS } from "../../core/model/http-settings.ts";
import { simpleBalancer } from "../../test/fakes/simple-balancer.ts";
import type { Balanced } from "./choose-upstream.ts";
import { EndpointAccount } from "./endpoint-account.ts";

/** The first of three endpoints, of which two 5xx in a row eject one. */
function create(): {
  readonly at: Balanced;
  readonly told: string[];
  readonly account: () => EndpointAccount;
} {
  const outliers = {
    consecutiveFailures: 9,
    baseEjectionMs: 60_000,
    maxEjectionPercent: 100,
    minHealthPercent: 0,
  };
  const off = { successRate: undefined, failurePercentage: undefined };
  const answers = { consecutive5xx: 2, consecutiveGatewayErrors: 0, intervalMs: 10_000, ...off };
  const http = { ...DEFAULT_HTTP_SETTINGS, outliers: answers };
  const balancer = simpleBalancer({ count: 3, traffic: { outliers, http } });
  const [member] = balancer.members;
  if (!member) throw new Error("three endpoints");
  const told: string[] = [];
  return {
    at: { balancer, member },
    told,
    account: () =>
      new EndpointAccount(({ member: { key }, reason }) => told.push(`${key} ${reason}`)),
  };
}

const EJECTED = ["10.0.0.0:80 consecutive_5xx"];

test("EndpointAccount: a request is under way at one endpoint at a time, until it is over", () => {
  const { at, account } = create();
  const other = { ...at, member: at.balancer.members[1] ?? at.member };
  const one = account();
  one.enter(at);
  expect([at.member.health.active, other.member.health.active]).toEqual([1, 0]);
  one.enter(other);
  expect([at.member.health.active, other.member.health.active]).toEqual([0, 1]);
  one.done({ code: "", status: 200 });
  one.leave();
  expect([at.member.health.active, other.member.health.active]).toEqual([0, 0]);
});

test("EndpointAccount: each try is judged once, whether it is sent again or is the answer", () => {
  const { at, told, account } = create();
  const one = account();
  one.enter(at);
  one.again({ kind: "status", status: 503 });
  one.answered({ status: 503 });
  one.done({ code: "", status: 503 });
  expect(told).toEqual([]);
  const two = account();
  two.enter(at);
  two.again({ kind: "grpc", status: 14 });
  expect(told).toEqual(EJECTED);
});

test("EndpointAccount: what an endpoint did not do counts as a gateway would answer, what others did not at all", () => {
  const codes: readonly (readonly [code: string, isBad: boolean])[] = [
    ["upstream_reset", true],
    ["request_timeout", true],
    ["upstream_response_invalid", true],
    ["caller_gone", false],
    ["cut", false],
    ["no_ready_endpoint", false],
  ];
  for (const [code, isBad] of codes) {
    const { at, told, account } = create();
    for (let i = 0; i < 2; i += 1) {
      const one = account();
      one.enter(at);
      one.done({ code, status: 0 });
    }
    expect([code, told]).toEqual([code, isBad ? EJECTED : []]);
  }
});

test("EndpointAccount: an answer of gRPC without a message is judged by its status, in all others HTTP's is", () => {
  for (const [grpc, isBad] of [
    ["14", true],
    ["13", true],
    ["5", false],
    ["0", false],
    ["?", true],
  ] as const) {
    const { at, told, account } = create();
    for (let i = 0; i < 2; i += 1) {
      const one = account();
      one.enter(at);
      one.answered({
        status: 200,
        fields: ["content-type", "application/grpc", "grpc-status", grpc],
      });
    }
    expect([grpc, told]).toEqual([grpc, isBad ? EJECTED : []]);
  }
});

test("EndpointAccount: an answer of gRPC with messages is judged by the status behind them, and only then", () => {
  const { at, told, account } = create();
  const fields = ["content-type", "application/grpc+proto"];
  for (const grpcStatus of [14, 0, 13, 14]) {
    const one = account();
    one.enter(at);
    one.answered({ status: 200, fields });
    expect(told).toEqual([]);
    one.done({ code: "", status: 200, grpcStatus });
  }
  expect(told).toEqual(EJECTED);
});

test("EndpointAccount: a server that refuses to look at a request is no worse for it", () => {
  const { at, told, account } = create();
  for (let i = 0; i < 5; i += 1) {
    const one = account();
    one.enter(at);
    one.again({ kind: "refused" });
    one.leave();
  }
  expect(told).toEqual([]);
});

test("EndpointAccount: one that another has overtaken is as slow as it was by then, at least", () => {
  const { at, told, account } = create();
  const { latency } = at.member;
  const one = account();
  one.enter(at);
  const sinceMs = performance.now();
  while (performance.now() === sinceMs) one.again({ kind: "refused" });
  one.overtaken();
  expect(at.member.health.active).toBe(0);
  // It is known from now on.
  expect(latency.cost(0, performance.now())).toBeGreaterThan(0);
  latency.observe(60_000, performance.now());
  one.enter(at);
  one.overtaken();
  expect(latency.cost(0, performance.now())).toBeGreaterThan(1_000);
  one.done({ code: "", status: 503 });
  expect(told).toEqual([]);
  expect(at.member.health.answers).toBe(0);
});
