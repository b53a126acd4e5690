import { expect, test } from "@jest/globals";
import { type EndedExchange, failureOf } from "./span-failure.ts";

const OK: EndedExchange = { isServer: false, status: 200, grpcStatus: undefined, code: "" };

/** `error.type` of the caller's span and of the called one's; "!" before it: an error. */
const CASES: readonly [string, Partial<EndedExchange>, readonly [string, string]][] = [
  ["200", {}, ["", ""]],
  ["404 of the application", { status: 404 }, ["!404", ""]],
  ["500 of the application", { status: 500 }, ["!500", "!500"]],
  ["403 of the mesh", { status: 403, code: "not_allowed" }, ["!not_allowed", "not_allowed"]],
  [
    "503 of the mesh",
    { status: 503, code: "upstream_reset" },
    ["!upstream_reset", "!upstream_reset"],
  ],
  ["broken off", { code: "caller_reset" }, ["!caller_reset", "!caller_reset"]],
  ["no answer", { status: 0, code: "caller_gone" }, ["!caller_gone", "!caller_gone"]],
  ["gRPC OK", { grpcStatus: 0 }, ["", ""]],
  ["gRPC NOT_FOUND", { grpcStatus: 5 }, ["!5", ""]],
  ["gRPC INTERNAL", { grpcStatus: 13 }, ["!13", "!13"]],
  [
    "gRPC denied by the mesh",
    { grpcStatus: 7, code: "not_allowed" },
    ["!not_allowed", "not_allowed"],
  ],
  ["gRPC OK, broken off", { grpcStatus: 0, code: "app_reset" }, ["!app_reset", "!app_reset"]],
];

test.each(CASES)("failureOf(): %s", (_name, part, told) => {
  const both = [false, true].map((isServer) => failureOf({ ...OK, ...part, isServer }));
  expect(both.map(({ isError, type }) => `${isError ? "!" : ""}${type}`)).toEqual(told);
});
