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

const DENIED = {
  id: "0a1b2c-0123456789ab",
  timeMs: 1,
  code: "denied_by_policy",
  decided: { policy: "shop/no", rule: 0, mark: "ab" },
  wasOpen: false,
  pod: "uid",
  workload: "shop/web",
  source: "10.0.0.1:4000",
  sourceWorkload: "",
  facts: {
    peer: { trustDomain: "cluster.local", namespace: "shop", serviceAccount: "web" },
    sourceIp: "10.0.0.1",
    destinationIp: "10.0.0.2",
    destinationPort: 80,
    sni: "web.test",
    remoteIp: "2001:db8::1",
  },
};

function denial(attempt: unknown) {
  return { kind: "denial", id: 1, attempt };
}

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
  { kind: "denial", id: 1 },
  denial(DENIED),
  denial({ ...DENIED, decided: undefined, facts: { ...DENIED.facts, peer: undefined } }),
  denial({ ...DENIED, decided: { policy: "shop/no", mark: "" } }),
])("parseFromTraffic(): takes %j", (message) => {
  // As JSON has it: without what is undefined.
  expect(parse(message)).toEqual(JSON.parse(JSON.stringify(message)));
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
  denial({}),
  denial({ ...DENIED, id: 7 }),
  denial({ ...DENIED, code: "a".repeat(513) }),
  denial({ ...DENIED, timeMs: 1e300 }),
  denial({ ...DENIED, decided: { policy: "shop/no", rule: 0.5, mark: "" } }),
  denial({ ...DENIED, decided: { policy: "shop/no" } }),
  denial({ ...DENIED, facts: undefined }),
  denial({ ...DENIED, facts: { ...DENIED.facts, sourceIp: "10.0.0.01" } }),
  denial({ ...DENIED, facts: { ...DENIED.facts, destinationPort: 65_536 } }),
  denial({ ...DENIED, facts: { ...DENIED.facts, peer: { namespace: "shop" } } }),
  denial({ ...DENIED, facts: { ...DENIED.facts, sni: 1 } }),
])("parseFromTraffic(): refuses %j", (message) => {
  expect(parse(message)).toBeUndefined();
});

test("parseFromTraffic(): takes 32 MiB of metrics and not a byte more", () => {
  const text = "a".repeat(32 << 20);
  expect(parse({ kind: "metrics", id: 1, text })).toEqual({ kind: "metrics", id: 1, text });
  expect(parse({ kind: "metrics", id: 1, text: `${text}b` })).toBeUndefined();
});

test("parseFromTraffic(): refuses what is no JSON, and passes nothing on that it does not know", () => {
  expect(parseFromTraffic(Buffer.from("{"))).toBeUndefined();
  expect(parse({ kind: "drained", extra: 1 })).toEqual({ kind: "drained" });
  const facts = { ...DENIED.facts, jwt: "a" };
  expect(parse(denial({ ...DENIED, facts, more: 1 }))).toEqual(denial(DENIED));
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
