/**
 * The policy route that keeps answers to a caller's address inside the pod, and a route to the gate's
 * address where the pod has none.
 */
import { GATE_ADDRESS_V4, GATE_ADDRESS_V6 } from "../gate/gate-protocol.ts";
import type { NetworkNamespace } from "../sys/namespace.ts";
import { RulesError } from "./rules-error.ts";
import { type ProgramResult, runInNamespace } from "./run-in-namespace.ts";

const MARK = "0x111/0xfff";
const TABLE = "100";
/** Before `main` (32766). */
const PREFERENCE = "15100";

/** Idempotent. Throws RulesError where the namespace refuses. */
export async function applyReturnRoute(namespace: NetworkNamespace, family: 4 | 6): Promise<void> {
  const rule = ["rule", "add", "fwmark", MARK, "lookup", TABLE, "pref", PREFERENCE];
  if (!(await hasRule(namespace, family))) demand(await ip(namespace, family, rule));
  demand(await ip(namespace, family, ["route", "replace", ...localRoute(family)]));
  if (!(await reachesGate(namespace, family))) {
    // Only so that a first packet exists which OUTPUT can redirect.
    demand(await ip(namespace, family, ["route", "replace", gateAddress(family), "dev", "lo"]));
  }
}

export async function hasReturnRoute(namespace: NetworkNamespace, family: 4 | 6): Promise<boolean> {
  const routes = await ip(namespace, family, ["route", "show", "table", TABLE]);
  return routes.stdout.includes("local") && (await hasRule(namespace, family));
}

/** Nothing to remove is no failure. */
export async function removeReturnRoute(namespace: NetworkNamespace, family: 4 | 6): Promise<void> {
  await ip(namespace, family, ["rule", "del", "fwmark", MARK, "lookup", TABLE, "pref", PREFERENCE]);
  await ip(namespace, family, ["route", "del", ...localRoute(family)]);
  await ip(namespace, family, ["route", "del", gateAddress(family), "dev", "lo"]);
}

async function hasRule(namespace: NetworkNamespace, family: 4 | 6): Promise<boolean> {
  const { stdout } = await ip(namespace, family, ["-N", "rule", "show"]);
  return stdout.split("\n").some((line) => line.includes(`fwmark ${MARK} lookup ${TABLE}`));
}

async function reachesGate(namespace: NetworkNamespace, family: 4 | 6): Promise<boolean> {
  return (await ip(namespace, family, ["route", "get", gateAddress(family)])).code === 0;
}

function gateAddress(family: 4 | 6): string {
  return family === 4 ? GATE_ADDRESS_V4 : GATE_ADDRESS_V6;
}

function localRoute(family: 4 | 6): readonly string[] {
  return ["local", family === 4 ? "0.0.0.0/0" : "::/0", "dev", "lo", "table", TABLE];
}

async function ip(
  namespace: NetworkNamespace,
  family: 4 | 6,
  args: readonly string[],
): Promise<ProgramResult> {
  return runInNamespace(namespace, ["ip", `-${family}`, ...args]);
}

function demand({ code, stderr }: ProgramResult): void {
  if (code !== 0) throw new RulesError(`ip: ${stderr}`);
}
