import { expect, test } from "@jest/globals";
import { parseFromTraffic } from "./parse-from-traffic.ts";

const CONNECTION = {
  id: 1,
  direction: "inbound",
  workload: "uid",
  peer: "",
  source: "10.0.0.1:4000",
  destination: "10.0.0.2:80",
  tunnelled: true,
  sinceMs: 1,
  bytesSent: 2,
  bytesReceived: 3,
};

function parse(value: unknown) {
  return parseFromTraffic(Buffer.from(JSON.stringify(value)));
}

test.each([
  { kind: "hello", pid: 7 },
  { kind: "listening", uid: "a" },
  { kind: "drained" },
  { kind: "alive" },
  { kind: "applied", sequence: 3 },
  { kind: "metrics", id: 1, text: "a 1\n" },
  { kind: "connections", open: [CONNECTION] },
])("parseFromTraffic(): takes %j", (message) => {
  expect(parse(message)).toEqual(message);
});

test.each([
  null,
  7,
  {},
  { kind: "hello", pid: "7" },
  { kind: "listening" },
  { kind: "applied", sequence: "3" },
  { kind: "changes", changes: {} },
  { kind: "metrics", text: "" },
  { kind: "metrics", id: 1, text: [] },
  { kind: "connections", open: [{ ...CONNECTION, bytesSent: -1 }] },
  { kind: "connections", open: [{ ...CONNECTION, direction: "sideways" }] },
  { kind: "connections", open: {} },
])("parseFromTraffic(): refuses %j", (message) => {
  expect(parse(message)).toBeUndefined();
});

test("parseFromTraffic(): takes 8 MiB of metrics and not a byte more", () => {
  const text = "a".repeat(8 << 20);
  expect(parse({ kind: "metrics", id: 1, text })).toEqual({ kind: "metrics", id: 1, text });
  expect(parse({ kind: "metrics", id: 1, text: `${text}b` })).toBeUndefined();
});

test("parseFromTraffic(): refuses what is no JSON, and passes nothing on that it does not know", () => {
  expect(parseFromTraffic(Buffer.from("{"))).toBeUndefined();
  expect(parse({ kind: "drained", extra: 1 })).toEqual({ kind: "drained" });
});

const ISSUER = "0a".repeat(32);

test.each([
  [[]],
  [[{ issuer: ISSUER, count: 1 }]],
  [Array.from({ length: 64 }, () => ({ issuer: ISSUER, count: 7 }))],
])("parseFromTraffic(): takes the tunnels of issuers %j", (issuers) => {
  expect(parse({ kind: "tunnel_issuers", issuers })).toEqual({ kind: "tunnel_issuers", issuers });
});

test.each([
  undefined,
  {},
  [{ issuer: ISSUER }],
  [{ issuer: ISSUER, count: 0 }],
  [{ issuer: ISSUER, count: 1.5 }],
  [{ issuer: ISSUER, count: 2 ** 40 }],
  [{ issuer: ISSUER.toUpperCase(), count: 1 }],
  [{ issuer: "", count: 1 }],
  [null],
  Array.from({ length: 65 }, () => ({ issuer: ISSUER, count: 1 })),
])("parseFromTraffic(): refuses the tunnels of issuers %j", (issuers) => {
  expect(parse({ kind: "tunnel_issuers", issuers })).toBeUndefined();
});
