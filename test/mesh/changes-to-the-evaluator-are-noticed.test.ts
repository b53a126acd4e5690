/**
 * Mutants of the evaluator, in a process of their own: nine of ten small changes to it are noticed, those that
 * are known to change no answer (`test/mutants/equivalents.ts`) among the rest. In CI half of them, chosen by a
 * seed; at full size all, those that are known run as well.
 */
import { spawn } from "node:child_process";
import { text } from "node:stream/consumers";
import { expect, test } from "@jest/globals";
import { sized } from "../soak.ts";

/** In CI 45 s of one core, of which a loaded machine gives a twentieth. No verdict depends on it. */
const LIMIT_MS = sized(1_800_000, 7_200_000);

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
