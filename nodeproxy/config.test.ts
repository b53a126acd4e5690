import { expect, test } from "@jest/globals";
import { parseConfig } from "./config.ts";

test("parseConfig(): takes the operator's address from the Service's variables", () => {
  const parsed = parseConfig([], {
    WEFT_NODE: "node1",
    WEFT_OPERATOR_SERVICE_HOST: "10.96.0.7",
    WEFT_OPERATOR_SERVICE_PORT: "15012",
  });
  expect(parsed).toMatchObject({
    kind: "config",
    config: { node: "node1", operator: "10.96.0.7:15012", joinToken: false },
  });
});

test("parseConfig(): a flag wins over its variable, and IPv6 goes in brackets", () => {
  const parsed = parseConfig(["--node=a", "--operator", "[fd00::1]:1", "--log-level=debug"], {
    WEFT_NODE: "b",
  });
  expect(parsed).toMatchObject({
    kind: "config",
    config: { node: "a", operator: "[fd00::1]:1", logLevel: "debug" },
  });
});

test("parseConfig(): what one pod may have at once has defaults, and is set", () => {
  const args = ["--node=a", "--operator=[fd00::1]:1", "--max-pod-connections=100"];
  expect(parseConfig(args, {})).toMatchObject({
    config: { podLimits: { connections: 100, tunnels: 4_096 } },
  });
});

test("parseConfig(): names everything that is wrong at once", () => {
  const parsed = parseConfig(
    ["--nodes=a", "--metrics-listen=nowhere", "--log-level=loud", "--max-pod-tunnels=0", "x"],
    {},
  );
  expect(parsed).toEqual({
    kind: "wrong",
    reasons: [
      "--nodes: no such flag",
      "x: not a flag",
      "--log-level: loud is none of trace, debug, info, warn, error, fatal",
      "--node: missing; set it to this node's name",
      '--operator: "" is not host:port',
      '--metrics-listen: "nowhere" is not [HOST]:PORT',
      '--max-pod-tunnels: "0" is no number of 1 or more',
    ],
  });
});

test("parseConfig(): the line's directory lies in the run directory unless it is named", () => {
  const args = ["--node=a", "--operator=[fd00::1]:1", "--run-dir=/run/w"];
  expect(parseConfig(args, {})).toMatchObject({ config: { lineDir: "/run/w/line" } });
  const named = parseConfig(args, { WEFT_LINE_DIR: "/run/own" });
  expect(named).toMatchObject({ config: { runDir: "/run/w", lineDir: "/run/own" } });
});

test("parseConfig(): open connections have the grace period, less what ending takes", () => {
  const args = ["--node=a", "--operator=[fd00::1]:1"];
  expect(parseConfig(args, {})).toMatchObject({ config: { drainMs: 25_000 } });
  expect(parseConfig(args, { WEFT_GRACE_SECONDS: "60" })).toMatchObject({
    config: { drainMs: 55_000 },
  });
  expect(parseConfig([...args, "--grace-seconds=9"], {})).toMatchObject({
    reasons: ['--grace-seconds: "9" is not a number from 10 on'],
  });
});
