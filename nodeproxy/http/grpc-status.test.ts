import { expect, test } from "@jest/globals";
import fc from "fast-check";
import { encodeGrpcMessage, grpcStatusOf, isGrpc } from "./grpc-status.ts";

test.each([
  ["application/grpc", true],
  ["application/grpc+proto", true],
  ["Application/GRPC; charset=utf-8", true],
  ["application/grpc-web", false],
  ["application/grpcx", false],
  ["application/json", false],
])("isGrpc(): %s: %s", (type, is) => {
  expect(isGrpc(["accept", "application/grpc", "content-type", type])).toBe(is);
  expect(isGrpc(["accept", "application/grpc"])).toBe(false);
});

test("grpcStatusOf(): by the table of HTTP's statuses, all others UNKNOWN", () => {
  const statuses = [400, 401, 403, 404, 429, 502, 503, 504, 418, 500];
  expect(statuses.map(grpcStatusOf)).toEqual([13, 16, 7, 12, 14, 14, 14, 14, 2, 2]);
});

test("encodeGrpcMessage(): printable ASCII as it is, all else in percent", () => {
  expect(encodeGrpcMessage("RBAC: access denied")).toBe("RBAC: access denied");
  expect(encodeGrpcMessage("100 % \u00fc\n")).toBe("100 %25 %C3%BC%0A");
  fc.assert(
    fc.property(fc.string({ unit: "grapheme" }), (text) => {
      const encoded = encodeGrpcMessage(text);
      expect(encoded).toMatch(/^[ -~]*$/);
      expect(decodeURIComponent(encoded)).toBe(text);
    }),
  );
});
