/**
 * Mutants of the evaluator, in a process of their own: nine of ten small changes to it are noticed, those that
 * are known to change no answer (`test/mutants/equivalents.ts`) among the rest. At full size those are run as well.
 */
import { spawn } from "node:child_process";
import { text } from "node:stream/consumers";
import { expect, test } from "@jest/globals";
import { sized } from "../soak.ts";

/** In CI half a minute of one core. No verdict depends on it. */
const LIMIT_MS = sized(900_000, 3_600_000);

test(
  "test/mutants: nine of ten changes to the evaluator are noticed",
  async () => {
    const words = ["--no-warnings", "test/mutants/main.ts", ...sized(["--quick"], [])];
    const child = spawn(process.execPath, words, { stdio: ["ignore", "pipe", "pipe"] });
    const ended = new Promise((resolve) => {
      child.once("close", resolve);
    });
    const [code, said, errors] = await Promise.all([ended, text(child.stdout), text(child.stderr)]);
    expect({ code, said, errors }).toEqual({
      code: 0,
      said: expect.stringMatching(/\d+ of \d+ mutants killed: [\d.]+ %\n/),
      errors: "",
    });
  },
  LIMIT_MS,
);
