import { expect, test } from "@jest/globals";
import { type RotationView, viewRotation } from "./mesh/rotation-view.ts";
import { drawRotation, RotationDisplay } from "./rotation-display.ts";

const now = Date.UTC(2030, 0, 1);

function ago(seconds: number): string {
  return new Date(now - seconds * 1000).toISOString();
}

function view(status: Readonly<Record<string, unknown>>): RotationView {
  return viewRotation({ metadata: { name: "root-1" }, spec: { authority: "root" }, status });
}

const WAITING = { name: "node-b", state: "Waiting", missing: "Leaves", lastReportAt: ago(5) };
const PROVEN = { name: "node-a", state: "Proven", missing: "", lastReportAt: ago(3) };
const RUNNING = view({
  phase: "Reissue",
  phaseSince: ago(12),
  nodesProven: "1/2",
  nodes: [PROVEN, WAITING],
});

class Screen {
  readonly isTTY: boolean;
  readonly columns: number;
  readonly rows: number;
  text = "";

  constructor(isTTY: boolean, columns = 200, rows = 24) {
    this.isTTY = isTTY;
    this.columns = columns;
    this.rows = rows;
  }

  write(text: string): void {
    this.text += text;
  }
}

test("drawRotation(): phase, and of each node its state, lack, since when and last report", () => {
  expect(drawRotation(RUNNING, now).split("\n")).toEqual([
    "root-1: Reissue for 12s, 1/2 nodes",
    "NODE    STATE    FOR  LAST REPORT  LACKS",
    "node-b  Waiting  12s  5s           serves certificates of the other issuer",
    "node-a  Proven        3s",
  ]);
});

test("drawRotation(): a node that holds it up is named after 30 s with what goes on without it", () => {
  const status = { phase: "Add", phaseSince: ago(31), nodes: [{ ...WAITING, lastReportAt: "" }] };
  const way = "weftctl ca rotate root --waive node-b";
  const held = `node-b holds it up (it never reported)\nto go on without it: ${way}\nNODE`;
  expect(drawRotation(view(status), now)).toContain(held);
  expect(drawRotation(view({ ...status, phaseSince: ago(29) }), now)).not.toContain("holds it up");
});

test("RotationDisplay: a terminal's table is redrawn in place, no line longer than the terminal", () => {
  const screen = new Screen(true, 30);
  const display = new RotationDisplay(screen);
  display.show(RUNNING, now);
  const lines = screen.text.trimEnd().split("\n");
  expect(lines.map((line) => line.length <= 29)).toEqual([true, true, true, true]);
  screen.text = "";
  display.show(RUNNING, now);
  expect(screen.text.startsWith("\u001b[4A\u001b[0J")).toBe(true);
});

test("RotationDisplay: of thousands of nodes those that have not followed, and never more than the terminal has lines", () => {
  const proven = Array.from({ length: 3000 }, (_, i) => ({ ...PROVEN, name: `n${i}` }));
  const many = view({ phase: "Add", phaseSince: ago(40), nodes: [...proven, WAITING] });
  const drawn = drawRotation(many, now).split("\n");
  expect(drawn[4]).toMatch(/^node-b +Waiting/);
  expect(drawn.at(-1)).toBe("… and 2981 more");
  const screen = new Screen(true, 80, 10);
  const display = new RotationDisplay(screen);
  display.show(many, now);
  expect(screen.text.trimEnd().split("\n")).toHaveLength(9);
  expect(screen.text).toContain("--waive node-b");
});

test("RotationDisplay: a line of trouble above is not drawn over", () => {
  const screen = new Screen(true);
  const display = new RotationDisplay(screen);
  display.show(RUNNING, now);
  display.showTrouble("no answer");
  screen.text = "";
  display.show(RUNNING, now);
  expect(screen.text.startsWith("root-1")).toBe(true);
});

test("RotationDisplay: without a terminal only what has changed is said", () => {
  const screen = new Screen(false);
  const display = new RotationDisplay(screen);
  display.show(RUNNING, now);
  display.show(RUNNING, now + 1000);
  expect(screen.text.trimEnd().split("\n")).toEqual([
    "root-1: Reissue, 1/2 nodes",
    "  Reissue: node-b Waiting: serves certificates of the other issuer",
  ]);
  screen.text = "";
  // Held up, and said once though its age grows.
  display.show(RUNNING, now + 20_000);
  display.show(RUNNING, now + 21_000);
  expect(screen.text.match(/holds it up/g)).toHaveLength(1);
  screen.text = "";
  display.show(view({ phase: "Drop", phaseSince: ago(0), nodesProven: "2/2" }), now);
  expect(screen.text).toBe("root-1: Drop, 2/2 nodes\n");
});

test("RotationDisplay: trouble is said once, and again when it comes back", () => {
  const screen = new Screen(false);
  const display = new RotationDisplay(screen);
  display.showTrouble("no answer");
  display.showTrouble("no answer");
  expect(screen.text).toBe("no answer; still trying\n");
  display.clearTrouble();
  display.showTrouble("no answer");
  expect(screen.text).toBe("no answer; still trying\n".repeat(2));
});
