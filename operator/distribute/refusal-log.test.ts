import { Writable } from "node:stream";
import { expect, test } from "@jest/globals";
import { pino } from "pino";
import { RefusalLog } from "./refusal-log.ts";

function createWorld() {
  const lines: Readonly<Record<string, unknown>>[] = [];
  const clock = { now: 0 };
  const sink = new Writable({
    write(chunk, _, done) {
      lines.push(JSON.parse(String(chunk)) as Readonly<Record<string, unknown>>);
      done();
    },
  });
  const refusals = new RefusalLog({
    log: pino(sink),
    identityOf: () => undefined,
    now: () => clock.now,
  });
  function write(node: string, reason = "workload_ended", workload = "uid"): void {
    refusals.write({ kind: "refused", reason, detail: "", node, workload, address: "" });
  }
  return { lines, clock, write };
}

test("RefusalLog: a flood of one node and reason is cut off, and told with the next line", () => {
  const { lines, clock, write } = createWorld();
  for (let i = 0; i < 1000; i += 1) write("a");
  expect(lines).toHaveLength(20);
  write("b");
  write("a", "csr_key");
  expect(lines).toHaveLength(22);
  clock.now = 10_000;
  write("a");
  write("a");
  expect(lines.slice(22)).toMatchObject([{ node: "a", unlogged: 980 }, { node: "a" }]);
  expect(lines[23]).not.toHaveProperty("unlogged");
});

test("RefusalLog: what a caller sends as UID is cut, whatever it is", () => {
  const { lines, write } = createWorld();
  write("a", "workload_unknown", "x".repeat(10_000));
  expect(String(lines[0]?.["workload"])).toHaveLength(64);
});
