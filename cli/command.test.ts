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
      "stauts: none of status, why, authz list, explain, check, uninstall, ca status, ca rotate",
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
  const known = "none of status, why, authz list, explain, check, uninstall, ca status, ca rotate";
  expect(parseCommand(["ca"])).toEqual({ kind: "wrong", reasons: [`ca: ${known}`] });
  expect(parseCommand(["ca", "stauts", "now"])).toEqual({
    kind: "wrong",
    reasons: [`ca stauts: ${known}`, "now: not expected"],
  });
  expect(parseCommand(["ca", "status", "now"])).toMatchObject({ reasons: ["now: not expected"] });
});

test("parseCommand(): a rotation with its authority, nodes to waive and how long to watch", () => {
  const args = [
    "ca",
    "rotate",
    "root",
    "--waive",
    "a",
    "--waive=b",
    "--waive",
    "a",
    "--timeout=1h30m",
  ];
  expect(parseCommand(args)).toMatchObject({
    command: {
      name: "ca rotate",
      timeoutSeconds: 5400,
      rotate: { authority: "root", waive: ["a", "b"], abort: false, dryRun: false },
    },
  });
  expect(parseCommand(["ca", "rotate", "--abort"])).toMatchObject({
    command: { timeoutSeconds: Number.POSITIVE_INFINITY, rotate: { authority: "", abort: true } },
  });
  expect(parseCommand(["ca", "rotate", "--waive", "a"])).toMatchObject({ kind: "command" });
});

test("parseCommand(): explain takes a code, or none for all, and asks for no more", () => {
  expect(parseCommand(["explain", "no_leaf", "--json"])).toMatchObject({
    command: { name: "explain", code: "no_leaf", output: "json" },
  });
  expect(parseCommand(["explain"])).toMatchObject({ command: { name: "explain", code: "" } });
  expect(parseCommand(["explain", "no_leaf", "now"])).toMatchObject({
    reasons: ["now: not expected"],
  });
});

test.each([
  [["ca", "rotate"], ["ca rotate: say which, root or intermediate"]],
  [["ca", "rotate", "--dry-run"], ["ca rotate: say which, root or intermediate"]],
  [
    ["ca", "rotate", "roots", "now"],
    ["now: not expected", "roots: none of root, intermediate"],
  ],
  [["ca", "rotate", "root", "--abort", "--waive", "a"], ["--abort, --waive: not together"]],
  [["ca", "rotate", "root", "--dry-run", "--abort"], ["--abort, --dry-run: not together"]],
  [["ca", "rotate", "root", "--waive", ""], ["--waive: names no node"]],
  [["status", "--dry-run"], ["--dry-run: only of ca rotate"]],
  [
    ["ca", "rotate", "root", "--timeout", "0s"],
    ["--timeout: 0s is no duration of 1s to 720h, such as 90s, 10m or 1h30m"],
  ],
])("parseCommand(): of %j says all that is wrong", (args, reasons) => {
  expect(parseCommand(args)).toEqual({ kind: "wrong", reasons });
});

test("parseCommand(): help tells of the command that stands before it", () => {
  function helpOf(...words: readonly string[]): string {
    const parsed = parseCommand([...words, "--help"]);
    return parsed.kind === "help" ? parsed.text : parsed.kind;
  }
  expect(helpOf()).toMatch(/^usage: weftctl COMMAND/);
  expect(helpOf("ca")).toMatch(/^usage: weftctl ca COMMAND/);
  expect(helpOf("ca", "rotate", "root")).toMatch(/^usage: weftctl ca rotate root\|intermediate/);
  expect(helpOf("ca", "status")).toMatch(/^usage: weftctl ca status/);
});
