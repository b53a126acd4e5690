/**
 * What we say of a route in `status.parents`: an entry for each parentRef that is a Service, beside what other
 * controllers say there. Pure; says nothing of how it is written.
 */
import type { ParentOutcome } from "../compile/service-routes.ts";
import type { RouteState } from "../index/route-store.ts";
import type { Reason } from "../resources/fields.ts";
import { asRecord, type RawRecord, recordsOf } from "../resources/narrow.ts";
import type { Route } from "../resources/route.ts";
import {
  type Condition,
  type Stamp,
  stampConditions,
  type WrittenCondition,
} from "./conditions.ts";

/** Gateway API: "controllerName is a domain/path string that indicates the name of the controller that wrote this status". */
const CONTROLLER = "weft.dev/mesh-controller";
/** As the schema says, of all controllers together. */
const MAX_PARENTS = 32;
const REF_FIELDS = ["group", "kind", "namespace", "name", "sectionName", "port"] as const;

export interface WrittenParent {
  readonly parentRef: RawRecord;
  readonly controllerName: string;
  readonly conditions: readonly WrittenCondition[];
}

export interface RouteStatus {
  /** Others', as they are. */
  readonly others: readonly RawRecord[];
  readonly own: readonly WrittenParent[];
}

/** What is to be written; `undefined` where it is there already. */
export function changedParents(
  { object, route, outcomes }: RouteState,
  now: number,
): RouteStatus | undefined {
  const stamp: Stamp = { generation: object.metadata.generation, now };
  const written = recordsOf(asRecord(object.status)?.["parents"]);
  const others = written.filter((entry) => entry["controllerName"] !== CONTROLLER);
  const before = written.filter((entry) => entry["controllerName"] === CONTROLLER);
  const wanted = outcomes.slice(0, Math.max(0, MAX_PARENTS - others.length));
  const entries = wanted.map((outcome) => entryOf(route, outcome, { before, stamp }));
  const isThere = before.length === entries.length && entries.every(({ isSame }) => isSame);
  return isThere ? undefined : { others, own: entries.map(({ entry }) => entry) };
}

interface Written {
  readonly before: readonly RawRecord[];
  readonly stamp: Stamp;
}

function entryOf(route: Route, outcome: ParentOutcome, { before, stamp }: Written) {
  const parentRef = refOf(outcome.parent.written);
  const key = keyOf(parentRef);
  const was = before.find((entry) => keyOf(asRecord(entry["parentRef"]) ?? {}) === key);
  const wanted = conditionsOf(route, outcome);
  const { conditions, areThere } = stampConditions(was?.["conditions"], wanted, stamp);
  const isSame = areThere && recordsOf(was?.["conditions"]).length === conditions.length;
  const entry: WrittenParent = { parentRef, controllerName: CONTROLLER, conditions };
  return { entry, isSame };
}

/** "ParentRef corresponds with a ParentRef in the spec": as it is written there. */
function refOf(written: RawRecord): RawRecord {
  return Object.fromEntries(
    REF_FIELDS.flatMap((name) => (written[name] === undefined ? [] : [[name, written[name]]])),
  );
}

function keyOf(parentRef: RawRecord): string {
  return JSON.stringify(REF_FIELDS.map((name) => parentRef[name] ?? null));
}

function conditionsOf(route: Route, outcome: ParentOutcome): readonly Condition[] {
  const isAccepted = outcome.reason === "Accepted";
  const accepted: Condition = {
    type: "Accepted",
    status: isAccepted ? "True" : "False",
    reason: outcome.reason,
    message: isAccepted ? format(route.warnings) : outcome.message,
  };
  return [accepted, resolvedRefs(outcome), ...(isAccepted ? partiallyInvalid(route) : [])];
}

function resolvedRefs({ unresolved }: ParentOutcome): Condition {
  const type = "ResolvedRefs";
  const [first] = unresolved;
  if (!first) return { type, status: "True", reason: "ResolvedRefs", message: "" };
  return { type, status: "False", reason: first.reason, message: format(unresolved) };
}

/** There only where it is so. Gateway API: "The message for this condition MUST start with the prefix "Dropped Rule"". */
function partiallyInvalid({ rules }: Route): readonly Condition[] {
  const unread = rules.flatMap((rule) => (rule.kind === "unread" ? [rule] : []));
  const [first] = unread;
  if (!first) return [];
  const names = unread.map(({ rule }) => rule).join(", ");
  const why = format(unread.flatMap(({ reasons }) => reasons));
  const message = `Dropped Rule ${names}, and what it matches gets 500: ${why}`;
  return [{ type: "PartiallyInvalid", status: "True", reason: first.reason, message }];
}

function format(reasons: readonly Reason[]): string {
  return reasons.map(({ field, message }) => `${field}: ${message}`).join("; ");
}

/** Without the time, which differs with every computation. */
export function contentOf({ own }: RouteStatus): string {
  const content = own.map(({ parentRef, conditions }) => [
    keyOf(parentRef),
    conditions.map(({ lastTransitionTime: _time, ...rest }) => rest),
  ]);
  return JSON.stringify(content);
}
