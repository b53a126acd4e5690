/**
 * Shows people how far a rotation is while they wait: on a terminal one table redrawn in place, elsewhere
 * a line for each change. Writes to what it is given (standard error), reads nothing.
 */
import { formatDuration } from "./format-duration.ts";
import { lackOf, type RotatingNode, type RotationView } from "./mesh/rotation-view.ts";
import { table } from "./print.ts";

/** A node that has not followed for so long is named, with the command that goes on without it. */
const HELD_UP_MS = 30_000;

/** A mesh may have thousands of nodes; those that have not followed come first. */
const MAX_NODES = 20;
/** Of a terminal: fewer lines show nothing of use. */
const MIN_ROWS = 6;

export interface Screen {
  readonly isTTY?: boolean;
  readonly columns?: number;
  readonly rows?: number;
  write(text: string): unknown;
}

export class RotationDisplay {
  readonly #screen: Screen;
  /** Of a terminal: how many lines of the last table are above the cursor. */
  #drawn = 0;
  /** What was said last, by what it is about. */
  readonly #said = new Map<string, string>();

  constructor(screen: Screen) {
    this.#screen = screen;
  }

  show(view: RotationView, nowMs: number): void {
    if (this.#screen.isTTY === true) this.#redraw(drawRotation(view, nowMs));
    else for (const line of linesOf(view, nowMs)) this.#sayOnce(line);
  }

  /** The API server does not answer: what is shown may be old. */
  showTrouble(message: string): void {
    this.#sayOnce({ about: "trouble", key: message, text: `${message}; still trying` });
  }

  /** What was in trouble works again. */
  clearTrouble(): void {
    this.#said.delete("trouble");
  }

  #sayOnce({ about, key, text }: Line): void {
    if (this.#said.get(about) === key) return;
    this.#said.set(about, key);
    this.#screen.write(`${text}\n`);
    // A table above a line is not redrawn any more: the next one begins below.
    this.#drawn = 0;
  }

  #redraw(text: string): void {
    // A line that the terminal breaks in two would make the count of lines wrong.
    const width = Math.max(20, this.#screen.columns ?? 80);
    // Nor can it be redrawn where it is higher than the terminal.
    const height = Math.max(MIN_ROWS, this.#screen.rows ?? 24) - 1;
    const lines = text
      .split("\n")
      .slice(0, height)
      .map((line) => line.slice(0, width - 1));
    const back = this.#drawn === 0 ? "" : `\u001b[${this.#drawn}A\u001b[0J`;
    this.#screen.write(`${back}${lines.join("\n")}\n`);
    this.#drawn = lines.length;
  }
}

/** The whole picture, for a terminal. */
export function drawRotation(view: RotationView, nowMs: number): string {
  const nodes = urgentFirst(view.nodes);
  const rows = nodes
    .slice(0, MAX_NODES)
    .map((node) => [
      node.name,
      node.state,
      node.state === "Waiting" ? ageOf(view.phaseSince, nowMs) : "",
      ageOf(node.lastReportAt, nowMs),
      node.state === "Waiting" ? lackOf(node) : "",
    ]);
  const heads = ["node", "state", "for", "last report", "lacks"];
  const parts = [headline(view, nowMs)];
  const [held] = heldUpBy(view, nowMs);
  if (held) parts.push(...heldUpWords(held, view, nowMs));
  if (rows.length > 0) parts.push(table(heads, rows));
  if (nodes.length > MAX_NODES) parts.push(`… and ${nodes.length - MAX_NODES} more`);
  return parts.join("\n");
}

/** `ca-x: Reissue for 12s, 2/3 nodes: message` */
function headline(view: RotationView, nowMs: number): string {
  const { name, phase, aborting, nodesProven, message } = view;
  const age = ageOf(view.phaseSince, nowMs);
  const words = [
    `${name}: ${aborting ? "turning back, " : ""}${phase}`,
    age === "-" ? "" : ` for ${age}`,
    nodesProven === "" ? "" : `, ${nodesProven} nodes`,
    message === "" ? "" : `: ${message}`,
  ];
  return words.join("");
}

interface Line {
  readonly about: string;
  /** Said again only where this differs from what was said of the same. */
  readonly key: string;
  readonly text: string;
}

function linesOf(view: RotationView, nowMs: number): readonly Line[] {
  const { name, phase, aborting, nodesProven, message } = view;
  const proven = nodesProven === "" ? "" : `, ${nodesProven} nodes`;
  const told = message === "" ? "" : `: ${message}`;
  const head = `${name}: ${aborting ? "turning back, " : ""}${phase}${proven}${told}`;
  const lines: Line[] = [{ about: "", key: head, text: head }];
  const behind = urgentFirst(view.nodes).filter(({ state }) => state !== "Proven");
  for (const node of behind.slice(0, MAX_NODES)) {
    const lack = node.state === "Waiting" ? `: ${lackOf(node)}` : "";
    const text = `  ${phase}: ${node.name} ${node.state}${lack}`;
    lines.push({ about: `node ${node.name}`, key: text, text });
  }
  for (const node of heldUpBy(view, nowMs)) {
    // Its age grows with every look.
    const key = `${phase} ${node.missing}`;
    const text = heldUpWords(node, view, nowMs).join("; ");
    lines.push({ about: `held ${node.name}`, key, text });
  }
  return lines;
}

function heldUpBy(view: RotationView, nowMs: number): readonly RotatingNode[] {
  const sinceMs = Date.parse(view.phaseSince);
  if (!(nowMs - sinceMs >= HELD_UP_MS)) return [];
  return view.nodes.filter(({ state }) => state === "Waiting").slice(0, MAX_NODES);
}

/** Who, and what goes on without it. */
function heldUpWords(
  node: RotatingNode,
  { authority }: RotationView,
  nowMs: number,
): readonly string[] {
  const age = ageOf(node.lastReportAt, nowMs);
  const report = age === "-" ? "it never reported" : `its last report is ${age} old`;
  const way = `weftctl ca rotate ${authority} --waive ${node.name}`;
  return [`${node.name} holds it up (${report})`, `to go on without it: ${way}`];
}

function urgentFirst(nodes: readonly RotatingNode[]): readonly RotatingNode[] {
  const order = ["Waiting", "Waived"];
  function rankOf({ state }: RotatingNode): number {
    const rank = order.indexOf(state);
    return rank === -1 ? order.length : rank;
  }
  return nodes.toSorted((a, b) => rankOf(a) - rankOf(b));
}

function ageOf(at: string, nowMs: number): string {
  const atMs = Date.parse(at);
  return Number.isNaN(atMs) ? "-" : formatDuration(Math.max(0, nowMs - atMs) / 1000);
}
