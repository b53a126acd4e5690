import { expect, test } from "@jest/globals";
import fc from "fast-check";
import {
  digestOf,
  isGenuine,
  parseSessionToken,
  type SessionEndpoint,
  writeSessionToken,
} from "./session-token.ts";

const ENDPOINT: SessionEndpoint = {
  service: "shop/web",
  port: 80,
  key: "10.0.0.1:8080",
  workload: "4bd0b6e4-7a8b-4e0e-b1a0-2f6a2b3d9f11",
};
const TIMES = { beganSeconds: 1_790_000_000, usedSeconds: 1_790_000_060 };

test("writeSessionToken(): is read back, genuine, and says nothing of the endpoint in clear", () => {
  const text = writeSessionToken(ENDPOINT, TIMES);
  const token = parseSessionToken(text);
  expect(token).toEqual({ ...TIMES, digest: digestOf(ENDPOINT), text });
  expect(token && isGenuine(token, ENDPOINT)).toBe(true);
  expect(text).not.toMatch(/10\.0|8080|shop|4bd0/);
  // RFC 6265 4.1.1: what a cookie's value may hold.
  expect(text).toMatch(/^[A-Za-z0-9_.-]+$/);
});

test("isGenuine(): no text with a changed character, and none for another endpoint", () => {
  const text = writeSessionToken(ENDPOINT, TIMES);
  fc.assert(
    fc.property(
      fc.nat(text.length - 1),
      fc.constantFrom("0", "a", "Z", "-", "_", "."),
      (at, character) => {
        const changed = text.slice(0, at) + character + text.slice(at + 1);
        const token = parseSessionToken(changed);
        const isSame = changed === text;
        expect(token !== undefined && isGenuine(token, ENDPOINT)).toBe(isSame);
      },
    ),
  );
  const token = parseSessionToken(text);
  if (!token) throw new Error("it is one");
  for (const other of [
    { ...ENDPOINT, service: "shop/other" },
    { ...ENDPOINT, port: 81 },
    { ...ENDPOINT, key: "10.0.0.2:8080" },
    { ...ENDPOINT, workload: "" },
  ]) {
    expect(isGenuine(token, other)).toBe(false);
    expect(digestOf(other)).not.toBe(digestOf(ENDPOINT));
  }
});

test("parseSessionToken(): of whatever a client sends, nothing or numbers", () => {
  for (const text of ["", "...", "a.b.c.d", `${"a".repeat(22)}.-1.0.${"a".repeat(22)}`]) {
    expect(parseSessionToken(text)).toBeUndefined();
  }
  fc.assert(
    fc.property(fc.string({ maxLength: 80 }), (text) => {
      const token = parseSessionToken(text);
      expect(token === undefined || Number.isSafeInteger(token.beganSeconds)).toBe(true);
    }),
  );
});
