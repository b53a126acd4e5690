/**
 * Everything that `ca rotate` writes: finds the rotation under way or asks for one, waives nodes, turns it back.
 * Tells what there is to follow, or why there is nothing.
 */
import type { KubeApi } from "../core/kube/kube-api.ts";
import { chooseUnderWay, type RotationView, viewRotation } from "./mesh/rotation-view.ts";
import {
  abortRotation,
  createRotation,
  listRotations,
  RotationError,
  waiveNodes,
  withdrawRotation,
} from "./mesh/rotations.ts";
import type { RotateFlags } from "./rotate-flags.ts";
import { refuseWaiver } from "./waiver.ts";

export type RotationOutcome =
  | "complete"
  | "aborted"
  /** By the operator; `rotation.reason` says why. */
  | "refused"
  | "timed_out"
  | "interrupted"
  | "deleted"
  | "waived"
  | "nothing_under_way"
  | "other_under_way"
  | "unknown_node"
  | "kind_missing"
  | "forbidden";

export interface RotationResult {
  readonly outcome: RotationOutcome;
  readonly message: string;
  /** This call asked for it; false where it was under way. */
  readonly created: boolean;
  readonly rotation: RotationView | null;
}

export interface UnderWay {
  readonly kind: "under_way";
  readonly view: RotationView;
  readonly created: boolean;
}

type Begun = UnderWay | { readonly kind: "over"; readonly result: RotationResult };

export async function beginRotation(api: KubeApi, flags: RotateFlags): Promise<Begun> {
  const { authority, waive } = flags;
  const underWay = chooseUnderWay(await listRotations(api));
  if (underWay && authority !== "" && underWay.authority !== authority) {
    return over("other_under_way", otherUnderWay(underWay), underWay);
  }
  const unknown = await refuseWaiver(api, waive, underWay);
  if (unknown !== "") return over("unknown_node", unknown, underWay);
  if (underWay) return comeBack(api, underWay, flags);
  if (flags.abort || authority === "") {
    return over("nothing_under_way", "no rotation is under way", undefined);
  }
  if (waive.length > 0) sayWaiver(waive);
  const view = viewRotation(await createRotation(api, { authority, waivedNodes: waive }));
  return (await giveWay(api, view)) ?? asked(view);
}

function asked(view: RotationView): UnderWay {
  say(`${view.name} is asked for`);
  return { kind: "under_way", view, created: true };
}

/** Of two people who ask at once one rotation will do: the later one is taken back, and follows the first. */
async function giveWay(api: KubeApi, own: RotationView): Promise<UnderWay | undefined> {
  const first = chooseUnderWay(await listRotations(api));
  if (!first || first.name === own.name || first.authority !== own.authority) return undefined;
  try {
    await withdrawRotation(api, own.name);
  } catch (error) {
    // It waits for its turn then, and rotates once more.
    if (error instanceof RotationError && error.reason === "forbidden") return undefined;
    throw error;
  }
  say(`${first.name} is under way: following it`);
  return { kind: "under_way", view: first, created: false };
}

async function comeBack(
  api: KubeApi,
  view: RotationView,
  { authority, abort, waive }: RotateFlags,
): Promise<Begun> {
  const { name } = view;
  if (waive.length > 0) {
    sayWaiver(waive);
    await waiveNodes(api, name, waive);
  }
  if (authority === "" && !abort) {
    return over("waived", `${name} goes on without ${waive.join(", ")}`, view);
  }
  if (abort) await abortRotation(api, name);
  say(abort ? `${name} is turned back` : `${name} is under way: following it`);
  return { kind: "under_way", view, created: false };
}

function over(outcome: RotationOutcome, message: string, view: RotationView | undefined): Begun {
  return { kind: "over", result: { outcome, message, created: false, rotation: view ?? null } };
}

function otherUnderWay({ name, authority }: RotationView): string {
  const ways = `weftctl ca rotate ${authority} follows it, weftctl ca rotate --abort turns it back`;
  return `${name} is under way and exchanges the ${authority}, and there is one at a time: ${ways}`;
}

function sayWaiver(nodes: readonly string[]): void {
  const risk = "workloads there may be cut off from all others until the node follows";
  say(`going on without ${nodes.join(", ")}: ${risk}`);
}

function say(text: string): void {
  process.stderr.write(`${text}\n`);
}
