import { expect, test } from "@jest/globals";
import type { NodeReport } from "../core/model/node-report.ts";
import { NodeLine } from "./node-line.ts";

const REPORT: NodeReport = {
  node: "a",
  version: "1",
  captures: [],
  leaves: [],
  bundles: [],
  olderTunnels: [],
};
const HELD = new Map([["policy shop/deny", { version: "1" }]]);

interface Heard {
  readonly told: string[];
  readonly line: NodeLine;
}

function lineThatTells(): Heard {
  const told: string[] = [];
  const line = new NodeLine({
    setReport: ({ node }) => told.push(`report of ${node}`),
    onTold: ({ node }, { held }) =>
      told.push(`${node} holds ${[...held.keys()].join() || "nothing"}`),
    onApplied: (node, applied) => told.push(`${node} ${applied ? "answers" : "is silent"}`),
    onGone: (node) => told.push(`${node} is gone`),
  });
  return { told, line };
}

test("NodeLine: nothing is told on before the node has reported, then report and holdings together", () => {
  const { told, line } = lineThatTells();
  line.apply("a", { held: HELD, refused: [] });
  line.report(REPORT);
  expect(told).toEqual(["a answers", "report of a", "a holds policy shop/deny"]);
});

test("NodeLine retell(): what was written and is gone is told once more, for a node whose stream is here", () => {
  const { told, line } = lineThatTells();
  line.report(REPORT);
  line.retell("a");
  line.retell("b");
  expect(told.slice(1)).toEqual(["a holds nothing", "a holds nothing"]);
});

test("NodeLine: a node that is gone is told of as gone, and not again afterwards", () => {
  const { told, line } = lineThatTells();
  line.report(REPORT);
  line.drop("a");
  line.retell("a");
  expect(told.slice(2)).toEqual(["a is silent", "a is gone"]);
  expect(line.has("a")).toBe(false);
});
