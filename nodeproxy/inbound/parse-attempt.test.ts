import { expect, test } from "@jest/globals";
import { parseAttempt } from "./parse-attempt.ts";

const POD = ["10.0.0.3", "fd00::3"];

function parse(authority: string | undefined, part: object = {}, local = "10.0.0.3") {
  const none = { path: undefined, scheme: undefined };
  return parseAttempt({ method: "CONNECT", authority, ...none, ...part }, local, POD);
}

test("parseAttempt(): takes the pod's own address in both families", () => {
  expect(parse("10.0.0.3:80")).toEqual({ kind: "attempt", address: "10.0.0.3", port: 80 });
  const v6 = parse("[fd00::3]:65535", {}, "fd00::3");
  expect(v6).toEqual({ kind: "attempt", address: "fd00::3", port: 65_535 });
});

test.each([
  ["10.0.0.4:80", "foreign_address"],
  ["127.0.0.1:80", "foreign_address"],
  ["0.0.0.0:80", "foreign_address"],
  ["[::]:80", "foreign_address"],
  ["169.254.169.254:80", "foreign_address"],
  ["[fd00::3]:80", "foreign_address"],
  ["10.0.0.3:15000", "own_port"],
  ["10.0.0.3:15008", "own_port"],
  ["10.0.0.3:15090", "own_port"],
  ["10.0.0.3", "malformed_authority"],
  ["10.0.0.3:", "malformed_authority"],
  ["10.0.0.3:0", "malformed_authority"],
  ["10.0.0.3:080", "malformed_authority"],
  ["10.0.0.3:65536", "malformed_authority"],
  ["010.0.0.3:80", "malformed_authority"],
  ["user@10.0.0.3:80", "malformed_authority"],
  ["store.shop.svc:80", "malformed_authority"],
  ["fd00::3:80", "malformed_authority"],
  ["[10.0.0.3]:80x", "malformed_authority"],
  [undefined, "malformed_authority"],
])("parseAttempt(): %s is refused as %s", (authority, reason) => {
  expect(parse(authority)).toEqual({ kind: "malformed", reason });
});

test.each([{ method: "GET" }, { path: "/" }, { scheme: "https" }])(
  "parseAttempt(): %j is no CONNECT of RFC 9113 8.5",
  (part) => {
    expect(parse("10.0.0.3:80", part)).toEqual({ kind: "malformed", reason: "not_connect" });
  },
);
