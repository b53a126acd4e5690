import { expect, test } from "@jest/globals";
import { areTrailers, readAnswer, readRequest } from "./request-fields.ts";

const CONNECT = [":method", "CONNECT", ":authority", "10.0.0.1:80"];
const GET = [":method", "GET", ":scheme", "https", ":path", "/"];

test("readRequest(): a CONNECT as ztunnel sends it, with what it says about itself", () => {
  expect(readRequest([...CONNECT, "forwarded", "for=10.0.0.9", "te", "trailers"])).toEqual({
    method: "CONNECT",
    authority: "10.0.0.1:80",
    path: undefined,
    scheme: undefined,
    contentLength: undefined,
  });
});

test("readRequest(): other methods are well-formed too, and their content is counted", () => {
  expect(readRequest([...GET, "content-length", "12"])).toMatchObject({
    method: "GET",
    contentLength: 12,
  });
});

const MALFORMED: readonly (readonly [string, readonly string[]])[] = [
  ["nothing", []],
  ["CONNECT without :authority", CONNECT.slice(0, 2)],
  ["CONNECT with :path", [...CONNECT, ":path", "/"]],
  ["CONNECT with :scheme", [...CONNECT, ":scheme", "https"]],
  ["extended CONNECT", [...CONNECT, ":protocol", "websocket"]],
  ["user info", [":method", "CONNECT", ":authority", "u@10.0.0.1:80"]],
  ["a space in :authority", [":method", "CONNECT", ":authority", "10.0.0.1 :80"]],
  ["an empty :authority", [":method", "CONNECT", ":authority", ""]],
  ["an empty :path", [":method", "GET", ":scheme", "https", ":path", ""]],
  ["a method with a space", [":method", "GET /", ":scheme", "https", ":path", "/"]],
  ["a method that is no token", [":method", "G\xc9T", ":scheme", "https", ":path", "/"]],
  ["GET without :scheme", [":method", "GET", ":path", "/"]],
  ["a pseudo-header twice", [...CONNECT, ":method", "CONNECT"]],
  ["a pseudo-header behind a field", ["x", "y", ...CONNECT]],
  ["the pseudo-header of answers", [...CONNECT, ":status", "200"]],
  ["capitals", [...CONNECT, "Forwarded", "x"]],
  ["an empty name", [...CONNECT, "", "x"]],
  ["a space in a name", [...CONNECT, "a b", "x"]],
  ["CR in a value", [...CONNECT, "a", "x\ry"]],
  ["LF in a value", [...CONNECT, "a", "x\ny"]],
  ["NUL in a value", [...CONNECT, "a", "x\0y"]],
  ["a value that begins with white space", [...CONNECT, "a", " x"]],
  ["a value that ends with white space", [...CONNECT, "a", "x\t"]],
  ["connection", [...CONNECT, "connection", "close"]],
  ["transfer-encoding", [...CONNECT, "transfer-encoding", "chunked"]],
  ["upgrade", [...CONNECT, "upgrade", "h2c"]],
  ["te that is not trailers", [...CONNECT, "te", "gzip"]],
  ["content-length that is no number", [...GET, "content-length", "+5"]],
  ["content-length twice", [...GET, "content-length", "5", "content-length", "6"]],
];

for (const [what, fields] of MALFORMED) {
  test(`readRequest(): ${what} is malformed`, () => {
    expect(readRequest(fields)).toBeUndefined();
  });
}

test("readAnswer(): three digits, and nothing of requests", () => {
  expect(readAnswer([":status", "200", "date", "x"])?.status).toBe(200);
  expect(readAnswer([":status", "99"])?.status).toBeUndefined();
  expect(readAnswer([":status", "0200"])?.status).toBeUndefined();
  expect(readAnswer(["date", "x"])?.status).toBeUndefined();
  expect(readAnswer([":status", "200", ":path", "/"])?.status).toBeUndefined();
});

test("areTrailers(): no pseudo-headers", () => {
  expect(areTrailers(["x", "y"])).toBe(true);
  expect(areTrailers([":status", "200"])).toBe(false);
});
