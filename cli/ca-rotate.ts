/**
 * `weftctl ca rotate`: asks the operator for a rotation of the CA, or comes back to the one under way, and
 * follows it to its end.
 *
 * The operator does the work and is the only one to say that it is done; this command may die at any
 * moment. Exit 0 only where the end is the one that was asked for.
 */
import { setTimeout as delay } from "node:timers/promises";
import type { KubeApi } from "../core/kube/kube-api.ts";
import { KubeError } from "../core/kube/kube-error.ts";
import {
  beginRotation,
  type RotationOutcome,
  type RotationResult,
  type UnderWay,
} from "./begin-rotation.ts";
import type { Command } from "./command.ts";
import { isOver, type RotationView, viewRotation } from "./mesh/rotation-view.ts";
import { RotationError, readRotation } from "./mesh/rotations.ts";
import { print } from "./print.ts";
import { RotationDisplay } from "./rotation-display.ts";
import { runRotationPlan } from "./rotation-plan.ts";

const ASK_EVERY_MS = 1000;
/** So long an operator needs at most to take one up: each looks every 5 s, and a Lease changes hands in 15. */
const TAKEN_UP_MS = 30_000;

/** 0 where it is complete, or turned back with `--abort`; 130 after Ctrl-C; else 1. */
export async function runCaRotate(api: KubeApi, command: Command): Promise<number> {
  if (command.rotate.dryRun) return runRotationPlan(api, command);
  const result = await rotate(api, command);
  print({ value: result, text: () => result.message }, command.output);
  if (result.outcome === "interrupted") return 130;
  return result.outcome === wantedOutcome(command) ? 0 : 1;
}

function wantedOutcome({ rotate: { authority, abort } }: Command): RotationOutcome {
  if (abort) return "aborted";
  return authority === "" ? "waived" : "complete";
}

async function rotate(api: KubeApi, command: Command): Promise<RotationResult> {
  try {
    const begun = await beginRotation(api, command.rotate);
    return begun.kind === "over" ? begun.result : await follow(api, command, begun);
  } catch (error) {
    if (!(error instanceof RotationError)) throw error;
    return { outcome: error.reason, message: error.message, created: false, rotation: null };
  }
}

async function follow(
  api: KubeApi,
  command: Command,
  { view: first, created }: UnderWay,
): Promise<RotationResult> {
  const display = new RotationDisplay(process.stderr);
  const interrupt = new AbortController();
  function onInterrupt(): void {
    interrupt.abort();
  }
  process.once("SIGINT", onInterrupt);
  const began = performance.now();
  const endMs = began + command.timeoutSeconds * 1000;
  let view = first;
  let isTaken = view.phase !== "Pending" || view.message !== "";
  for (;;) {
    display.show(view, Date.now());
    if (isOver(view)) return { ...resultOf(view), created, rotation: view };
    const now = performance.now();
    if (interrupt.signal.aborted) return { ...leftRunning("interrupted", view), created };
    if (now >= endMs) return { ...leftRunning("timed_out", view), created };
    await pause(Math.min(ASK_EVERY_MS, endMs - now), interrupt.signal);
    const next = await readAgain(api, view, display);
    if (next === undefined) {
      return { outcome: "deleted", message: `${view.name} was deleted`, created, rotation: view };
    }
    view = next;
    isTaken ||= view.phase !== "Pending" || view.message !== "";
    if (!isTaken && performance.now() - began > TAKEN_UP_MS) {
      display.showTrouble("no operator has taken it up: does one run? weftctl status");
    }
  }
}

async function pause(milliseconds: number, signal: AbortSignal): Promise<void> {
  try {
    await delay(milliseconds, undefined, { signal });
  } catch (error) {
    if (!signal.aborted) throw error;
  }
}

/** An API server that is away for a while ends nothing: the one from before is shown meanwhile. */
async function readAgain(
  api: KubeApi,
  before: RotationView,
  display: RotationDisplay,
): Promise<RotationView | undefined> {
  try {
    const object = await readRotation(api, before.name);
    display.clearTrouble();
    return object && viewRotation(object);
  } catch (error) {
    if (!(error instanceof KubeError) || error.reason !== "unavailable") throw error;
    display.showTrouble(error.message);
    return before;
  }
}

function resultOf(view: RotationView): Pick<RotationResult, "outcome" | "message"> {
  const { name, authority, message, reason } = view;
  if (view.phase === "Complete") {
    const waived = view.nodes.filter(({ state }) => state === "Waived").map((each) => each.name);
    const without = waived.length === 0 ? "" : `; without the proof of ${waived.join(", ")}`;
    const told = `${name} is complete: every node uses the new ${authority}${without}`;
    return { outcome: "complete", message: told };
  }
  if (view.phase === "Aborted") {
    const told = `${name} was turned back: the ${authority} from before stays`;
    return { outcome: "aborted", message: told };
  }
  const told = `${name} is refused: ${reason}${message === "" ? "" : `: ${message}`}`;
  return { outcome: "refused", message: told };
}

function leftRunning(
  outcome: "interrupted" | "timed_out",
  view: RotationView,
): Pick<RotationResult, "outcome" | "message" | "rotation"> {
  const { name, authority, phase } = view;
  const way = `weftctl ca rotate ${authority} comes back to it, weftctl ca rotate --abort turns it back`;
  return { outcome, message: `${name} goes on (${phase}); ${way}`, rotation: view };
}
