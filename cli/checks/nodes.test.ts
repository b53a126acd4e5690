import { expect, test } from "@jest/globals";
import { checkClock } from "./clock.ts";
import { checkNodes } from "./nodes.ts";

function node(kernelVersion: string, operatingSystem = "linux") {
  return {
    metadata: { name: "n" },
    status: { nodeInfo: { kernelVersion, operatingSystem, architecture: "amd64" } },
  };
}

test("checkNodes(): a kernel without SO_NETNS_COOKIE fails, a newer one passes", () => {
  expect(checkNodes([node("5.10.0-23-amd64")])[0]?.level).toBe("fail");
  expect(checkNodes([node("5.14.0")])[0]?.level).toBe("ok");
  expect(checkNodes([node("6.1.0-13-cloud")])[0]?.level).toBe("ok");
});

test("checkNodes(): a Windows node is named and is no failure", () => {
  expect(checkNodes([node("10.0", "windows")])[0]?.level).toBe("warn");
});

test("checkClock(): a lease from the future or long past is named", () => {
  const now = Date.parse("2026-01-01T00:00:00Z");
  function lease(renewTime: string) {
    return { metadata: { name: "n" }, spec: { renewTime } };
  }
  expect(checkClock([lease("2026-01-01T00:00:10Z")], now)[0]?.level).toBe("ok");
  expect(checkClock([lease("2026-01-01T00:10:00Z")], now)[0]?.message).toContain("600 s ahead");
  expect(checkClock([lease("2025-12-31T23:50:00Z")], now)[0]?.level).toBe("warn");
});
