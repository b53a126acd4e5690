import { expect, test } from "@jest/globals";
import type { RequestHead } from "../http/message.ts";
import { checkedRequest } from "./checked-change.ts";

const HEAD: RequestHead = {
  method: "GET",
  scheme: "http",
  authority: "api",
  path: "/a",
  query: "?b=c",
  fields: ["x-a", "1", "content-length", "3"],
  upgrade: "",
  version: "1.1",
};

test.each([undefined, null, {}])("checkedRequest(): %j leaves the request as it is", (value) => {
  expect(checkedRequest(HEAD, value)).toEqual({ kind: "request", head: HEAD });
});

test("checkedRequest(): fields, path and authority are those that were returned", () => {
  const change = {
    fields: { set: { "X-B": "2" }, add: { "x-c": "" }, remove: ["X-A"] },
    path: "/d/e%20f?g",
    authority: "other:8080",
  };
  const checked = checkedRequest(HEAD, change);
  expect(checked).toMatchObject({
    head: { path: "/d/e%20f", query: "?g", authority: "other:8080" },
  });
  expect(checked.kind === "request" && checked.head.fields).toEqual([
    "content-length",
    "3",
    "x-b",
    "2",
    "x-c",
    "",
  ]);
});

test("checkedRequest(): an answer has its status, fields and body", () => {
  const answer = { status: 403, fields: { "Retry-After": "1" }, body: "no" };
  expect(checkedRequest(HEAD, { answer })).toEqual({
    kind: "answer",
    status: 403,
    fields: ["retry-after", "1"],
    body: "no",
  });
});

test.each<unknown>([
  1,
  [],
  { other: 1 },
  { fields: [] },
  { fields: { set: { "a b": "1" } } },
  { fields: { set: { a: 1 } } },
  { fields: { set: { a: "1\r\nx: y" } } },
  { fields: { set: { a: "1\n" } } },
  { fields: { set: { a: "\0" } } },
  { fields: { set: { a: " b" } } },
  { fields: { set: { a: "é" } } },
  { fields: { set: { ":path": "/" } } },
  { fields: { set: { "Content-Length": "4" } } },
  { fields: { add: { "transfer-encoding": "chunked" } } },
  { fields: { remove: ["Connection"] } },
  { fields: { remove: ["host"] } },
  { fields: { remove: "x" } },
  { fields: { set: { "x-weft-reason": "a" } } },
  { fields: { set: { a: "x".repeat(8_193) } } },
  { fields: { set: Object.fromEntries(Array.from({ length: 65 }, (_, i) => [`a${i}`, ""])) } },
  { path: "a" },
  { path: "/a b" },
  { path: "/a#b" },
  { path: "/a\r\n" },
  { path: "http://other/" },
  { path: `/${"a".repeat(8_192)}` },
  { authority: "a/b" },
  { authority: "a@b" },
  { authority: "" },
  { answer: { status: 199 } },
  { answer: { status: 204 } },
  { answer: { status: 600 } },
  { answer: { status: "200" } },
  { answer: { status: 200, body: 1 } },
  { answer: { status: 200, body: "é".repeat((32 << 10) + 1) } },
  { answer: { status: 200 }, path: "/" },
])("checkedRequest(): nothing is used of %j", (value) => {
  expect(checkedRequest(HEAD, value)).toMatchObject({ kind: "fault" });
});
