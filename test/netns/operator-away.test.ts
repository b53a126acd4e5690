/**
 * The operator away from a mesh whose leaves live a minute and a half: longer than half a life costs nothing, longer than a whole one
 * closes the mesh and opens it again by itself; and no secret is ever where it may not be.
 */
import { spawnSync } from "node:child_process";
import { beforeAll, expect, test } from "@jest/globals";
import type { OutageOutcome } from "./outage/story.ts";

const LIMIT_MS = 900_000;
let outcome: OutageOutcome;

beforeAll(() => {
  const done = spawnSync(process.execPath, ["test/netns/outage/main.ts"], {
    encoding: "utf8",
    timeout: LIMIT_MS,
  });
  if (done.status !== 0) throw new Error(`exit ${done.status}\n${done.stderr}`);
  outcome = JSON.parse(done.stdout) as OutageOutcome;
}, LIMIT_MS + 10_000);

test("operator away for longer than half a leaf's life: not one request or connection is lost", () => {
  expect(outcome.half).toMatchObject({
    lost: [],
    corrupt: [],
    torn: 0,
    broken: 0,
    forbiddenAnswered: 0,
  });
  expect(outcome.half.answered).toBeGreaterThan(100);
  expect(outcome.half.kept).toBeGreaterThan(0);
});

test("operator away for longer than a leaf's life: every call fails, and nothing goes in plaintext", () => {
  expect(outcome.ended).toHaveLength(3);
  for (const answer of outcome.ended) expect(answer).toContain("failed");
  expect(outcome.wire).toMatchObject({ otherBytes: 0, sawText: false });
  expect(outcome.wire.tlsBytes).toBeGreaterThan(0);
});

test("operator back: the mesh recovers by itself", () => {
  expect(outcome.recovered.map((answer) => answer.slice(0, 5))).toEqual([
    "api-2",
    "api-1",
    "api-1",
  ]);
});

test("secrets: no log, page or file but root's own shows a key or a token", () => {
  // The join token, the CA's two keys, and leaves of several lives.
  expect(outcome.secrets.known).toBeGreaterThan(8);
  expect(outcome.secrets.leaks).toEqual([]);
  expect(outcome.secrets.open).toEqual([]);
});

test("pages: none gives the memory of a program", () => {
  expect(outcome.pages.length).toBeGreaterThan(10);
  for (const page of outcome.pages)
    expect(page).not.toMatch(/heap|profil|debug|inspect|json\/list/);
});
