import { expect, test } from "@jest/globals";
import { recogniseProbe, speaks } from "./recognise-probe.ts";

test.each([
  ["", undefined],
  ["P", undefined],
  ["PR", undefined],
  ["PRI * HTTP/2.0", "grpc"],
  ["PUT / HTTP/1.1", "http"],
  ["GET", "http"],
  ["\x16", "tls"],
  ["\x00\x00\x00", "http"],
])("recogniseProbe(): %j is %s", (text, protocol) => {
  expect(recogniseProbe(Buffer.from(text, "latin1"))).toBe(protocol);
});

test("speaks(): each kind its own protocol, a tcp probe none", () => {
  const http = { kind: "http", port: 1, path: "/", headers: [], timeoutMs: 1 } as const;
  expect(speaks({ ...http, scheme: "HTTP" }, "http")).toBe(true);
  expect(speaks({ ...http, scheme: "HTTP" }, "tls")).toBe(false);
  expect(speaks({ ...http, scheme: "HTTPS" }, "tls")).toBe(true);
  expect(speaks({ kind: "grpc", port: 1, service: "", timeoutMs: 1 }, "grpc")).toBe(true);
  for (const protocol of ["tls", "http", "grpc"] as const) {
    expect(speaks({ kind: "tcp", port: 1, timeoutMs: 1 }, protocol)).toBe(false);
  }
});
