import { expect, test } from "@jest/globals";
import fc from "fast-check";
import { checkRequest, requestedService } from "./health-message.ts";

test("requestedService(): reads back every name that checkRequest() writes, up to two bytes of length", () => {
  fc.assert(
    fc.property(fc.string({ unit: "grapheme", maxLength: 300 }), (service) => {
      expect(requestedService(checkRequest(service))).toBe(service);
    }),
  );
});

test("checkRequest(): the bytes of the protocol's own encoding", () => {
  expect(checkRequest("").toString("hex")).toBe("0000000000");
  expect(checkRequest("ab").toString("hex")).toBe("00000000040a026162");
});

test.each(["", "00000000", "0100000000", "0000000004", "00000000040a0261", "00000000041202616200"])(
  "requestedService(): %s is none",
  (hex) => {
    expect(requestedService(Buffer.from(hex, "hex"))).toBeUndefined();
  },
);
