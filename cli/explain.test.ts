import { spawnSync } from "node:child_process";
import { expect, test } from "@jest/globals";
import { explainedCodes } from "./explain/catalogue.ts";

const WITHIN_MS = 300_000;

interface Said {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** In a program of its own that knows of no cluster. */
function explain(...words: readonly string[]): Said {
  const args = ["--no-warnings", "cli/main.ts", "explain", ...words];
  const env = { ...process.env, KUBECONFIG: "/nonexistent" };
  return spawnSync(process.execPath, args, { encoding: "utf8", env });
}

test(
  "weftctl explain: of a code it says what it means, what causes it and what cures it",
  () => {
    const { status, stdout, stderr } = explain("no_leaf");
    expect([status, stderr]).toEqual([0, ""]);
    expect(stdout).toMatch(/^no_leaf: no certificate [^]*\n {2}cause {4}\S[^]*\n {2}cure {5}\S/);
  },
  WITHIN_MS,
);

test(
  "weftctl explain: --json prints the one, or without a code all",
  () => {
    const one = JSON.parse(explain("no_leaf", "--json").stdout) as object;
    expect(one).toEqual(explainedCodes().find(({ code }) => code === "no_leaf"));
    expect(JSON.parse(explain("--json").stdout)).toEqual({ codes: explainedCodes() });
  },
  WITHIN_MS,
);

test(
  "weftctl explain: of a code that is none it names those that may be meant, and exits with 2",
  () => {
    const asked = explain("denied_by_polcy", "--json");
    expect(asked.status).toBe(2);
    expect(JSON.parse(asked.stdout)).toMatchObject({ code: "denied_by_polcy" });
    expect(asked.stderr).toContain("near are denied_by_policy");
    const lost = explain("zzzzzzzzzz");
    expect([lost.status, lost.stdout]).toEqual([2, ""]);
    expect(lost.stderr).toContain("weftctl explain lists all");
  },
  WITHIN_MS,
);
