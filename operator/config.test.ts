import { expect, test } from "@jest/globals";
import { parseConfig } from "./config.ts";

const FILES = ["--source", "file:objects", "--ca-dir", "ca", "--join-token-file", "token"];

test("parseConfig(): the file source needs a CA directory and a join token, and gets the default ports", () => {
  expect(parseConfig(FILES, {})).toEqual({
    kind: "config",
    config: {
      source: {
        kind: "files",
        directory: "objects",
        caDirectory: "ca",
        joinTokenFile: "token",
        rootsFile: "",
      },
      namespace: "weft-system",
      grpcListen: { port: 15_012 },
      metricsListen: { port: 15_014 },
      logLevel: "info",
      logFile: "",
      drainBudgetMs: 20_000,
    },
  });
});

test("parseConfig(): the environment sets what no flag does, and a flag wins over it", () => {
  const env = {
    WEFT_IMAGE: "weft:1",
    WEFT_POD_NAME: "weft-operator-0",
    WEFT_LOG_LEVEL: "debug",
    WEFT_GRPC_LISTEN: "127.0.0.1:1",
  };
  const parsed = parseConfig(["--grpc-listen", "[::1]:2"], env);
  expect(parsed).toMatchObject({
    kind: "config",
    config: {
      source: { kind: "kubernetes", image: "weft:1", podName: "weft-operator-0" },
      grpcListen: { host: "::1", port: 2 },
      logLevel: "debug",
    },
  });
});

test("parseConfig(): all that is wrong is told at once, each with its flag", () => {
  const parsed = parseConfig(
    [
      "--source=ftp:x",
      "--grpc-listen",
      "nowhere",
      "--log-level",
      "loud",
      "--namespace",
      "Weft",
      "--drain-seconds",
      "0",
      "--image",
      "weft:1",
      "--surprise",
      "stray",
      "--roots-out",
    ],
    {},
  );
  expect(parsed).toEqual({
    kind: "wrong",
    reasons: [
      "--surprise: no such flag",
      "stray: not a flag",
      "--roots-out: needs a value",
      '--source: "ftp:x" is neither kubernetes nor file:DIR',
      "--image: has no meaning with --source ftp:x",
      "--ca-dir: missing: directory of the CA's key",
      "--join-token-file: missing: token that node proxies show; made where missing",
      '--namespace: "Weft" is not a namespace',
      '--grpc-listen: "nowhere" is not [HOST]:PORT',
      '--log-level: "loud" is none of trace, debug, info, warn, error, fatal',
      '--drain-seconds: "0" is not between 1 and 600',
    ],
  });
});

test("parseConfig(): a setting of the other source is refused, since it would do nothing", () => {
  const parsed = parseConfig([...FILES, "--webhook-listen", ":1"], {});
  expect(parsed).toEqual({
    kind: "wrong",
    reasons: ["--webhook-listen: has no meaning with --source file:objects"],
  });
});

test("parseConfig(): --help names every flag", () => {
  const parsed = parseConfig(["--help", "--source", "nonsense"], {});
  expect(parsed.kind).toBe("help");
  expect(parsed.kind === "help" && parsed.text).toMatch(/--source[^]*--roots-out/);
});
