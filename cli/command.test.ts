import { expect, test } from "@jest/globals";
import { parseCommand } from "./command.ts";

test("parseCommand(): reads a command with its flags", () => {
  expect(parseCommand(["uninstall", "--keep-crds", "--timeout=9", "-n", "mesh"])).toMatchObject({
    kind: "command",
    command: { name: "uninstall", keepCrds: true, timeoutSeconds: 9, namespace: "mesh" },
  });
});

test("parseCommand(): names everything that is wrong", () => {
  expect(parseCommand(["stauts", "now", "-o", "xml", "--timeout=never"])).toEqual({
    kind: "wrong",
    reasons: [
      "stauts: none of status, check, uninstall, ca status",
      "now: not expected",
      "--output: xml is none of json, yaml",
      "--timeout: never is not 1 to 3600 seconds",
    ],
  });
});

test("parseCommand(): an unknown flag is an error, no argument is a call for help", () => {
  expect(parseCommand(["status", "--jsn"])).toMatchObject({ kind: "wrong" });
  expect(parseCommand([])).toMatchObject({ kind: "help" });
});

test("parseCommand(): a command of two words is read whole, and named whole where it is wrong", () => {
  expect(parseCommand(["ca", "status", "--json"])).toMatchObject({
    command: { name: "ca status", output: "json" },
  });
  const known = "none of status, check, uninstall, ca status";
  expect(parseCommand(["ca"])).toEqual({ kind: "wrong", reasons: [`ca: ${known}`] });
  expect(parseCommand(["ca", "stauts", "now"])).toEqual({
    kind: "wrong",
    reasons: [`ca stauts: ${known}`, "now: not expected"],
  });
  expect(parseCommand(["ca", "status", "now"])).toMatchObject({ reasons: ["now: not expected"] });
});
