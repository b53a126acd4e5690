import { expect, test } from "@jest/globals";
import { gateAnswer, gateQuestion, isGateAnswer, isGateDestination } from "./gate-protocol.ts";

const NONCE = "0123456789abcdef";

test("gateAnswer(): repeats the nonce, for later versions too", () => {
  for (const question of [gateQuestion(NONCE), `weft-gate 2 ${NONCE}\n`]) {
    expect(isGateAnswer(gateAnswer(question) ?? "", NONCE)).toBe(true);
  }
});

test.each([
  "",
  "GET / HTTP/1.1\n",
  "weft-gate 1 short\n",
  `weft-gate 0 ${NONCE}\n`,
  `weft-gate 1 ${NONCE}`,
])("gateAnswer(): %j is no question", (text) => {
  expect(gateAnswer(text)).toBeUndefined();
});

test("isGateDestination(): both families' address with the port, nothing else", () => {
  expect(isGateDestination({ address: "169.254.7.1", port: 15021 })).toBe(true);
  expect(isGateDestination({ address: "fd16:9254:7::1", port: 15021 })).toBe(true);
  expect(isGateDestination({ address: "169.254.7.1", port: 80 })).toBe(false);
  expect(isGateDestination({ address: "169.254.7.2", port: 15021 })).toBe(false);
});
