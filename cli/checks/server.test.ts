import { expect, test } from "@jest/globals";
import { checkServer } from "./server.ts";

test.each([
  ["1", "28", "fail"],
  ["1", "29", "ok"],
  ["1", "31+", "ok"],
  ["2", "0", "ok"],
])("checkServer(): Kubernetes %s.%s: %s", (major, minor, level) => {
  const version = { metadata: { name: "" }, major, minor, gitVersion: `v${major}.${minor}` };
  expect(checkServer(version)).toMatchObject([{ level }]);
});

test("checkServer(): a server that tells no version is not new enough", () => {
  expect(checkServer(undefined)).toMatchObject([{ level: "fail" }]);
});
