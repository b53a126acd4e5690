import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { expect, test } from "@jest/globals";

const PROGRAM = join(import.meta.dirname, "keeper-main.ts");

test("keeper: what is wrong is listed and the program ends with 2, instead of starting for ever", () => {
  const env = { PATH: process.env["PATH"], WEFT_TRAFFIC_USER: "somebody" };
  const options = { encoding: "utf8", env, timeout: 20_000 } as const;
  const { status, stderr } = spawnSync(process.execPath, [PROGRAM, "--bogus"], options);
  expect(status).toBe(2);
  expect(stderr.trim().split("\n")).toEqual([
    "--bogus: no such flag",
    "--node: missing; set it to this node's name",
    '--operator: "" is not host:port',
    'WEFT_TRAFFIC_USER: "somebody" is not UID:GID',
  ]);
  const help = spawnSync(process.execPath, [PROGRAM, "--help"], options);
  expect(help.status).toBe(0);
  expect(help.stdout).toContain("--line-dir");
});
