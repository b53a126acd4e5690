import { expect, test } from "@jest/globals";
import { formatSerial } from "./format-serial.ts";

test.each([
  ["01", Uint8Array.of(1)],
  ["00", Uint8Array.of(0)],
  ["ff01", Uint8Array.of(0, 0xff, 1)],
])("formatSerial(): %s without the octet of the sign", (text, serial) => {
  expect(formatSerial(serial)).toBe(text);
});
