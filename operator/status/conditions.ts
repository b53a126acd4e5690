/** The conditions of an object and the rest of its status: what is written, and whether it differs from what is there. Pure. */

export interface Condition {
  readonly type: string;
  readonly status: "True" | "False" | "Unknown";
  /** CamelCase, stable. */
  readonly reason: string;
  /** For people. */
  readonly message: string;
}

export interface WrittenCondition extends Condition {
  readonly observedGeneration: number;
  /** RFC 3339; moves only when `status` does. */
  readonly lastTransitionTime: string;
}

/** metav1.Condition: "message is … maxLength: 32768"; nobody reads more than this. */
const MAX_MESSAGE = 2048;

export interface Stamp {
  readonly generation: number;
  readonly now: number;
}

/** A field that is not enforced as written. */
export interface IgnoredField {
  readonly field: string;
  readonly reason:
    | "RuleDropped"
    | "AttributeErased"
    | "ProviderUnknown"
    | "ProviderHttpOnly"
    | "ProviderWithoutBody";
}

export interface WantedStatus {
  readonly conditions: readonly Condition[];
  /** `2/3`: of the nodes that have to, so many enforce it. */
  readonly nodes: string;
  readonly ignored: readonly IgnoredField[];
}

export interface WrittenStatus {
  readonly observedGeneration: number;
  readonly conditions: readonly WrittenCondition[];
  readonly nodes: string;
  readonly ignored?: readonly IgnoredField[];
}

/** As the schema says; the condition Accepted names them too. */
const MAX_IGNORED = 64;

/** What is to be written; `undefined` where it is there already. `before` is the raw status, as the API holds it. */
export function changedStatus(
  before: unknown,
  wanted: WantedStatus,
  stamp: Stamp,
): WrittenStatus | undefined {
  const was = recordOf(before);
  const { conditions, areThere } = stampConditions(was["conditions"], wanted.conditions, stamp);
  const ignored = wanted.ignored.slice(0, MAX_IGNORED);
  const isThere = areThere && was["nodes"] === wanted.nodes && isSameList(was["ignored"], ignored);
  if (isThere) return undefined;
  return {
    observedGeneration: stamp.generation,
    conditions,
    nodes: wanted.nodes,
    ...(ignored.length > 0 && { ignored }),
  };
}

export interface StampedConditions {
  readonly conditions: readonly WrittenCondition[];
  /** Beside others, perhaps. */
  readonly areThere: boolean;
}

/** `before` is the raw list, as the API holds it. */
export function stampConditions(
  before: unknown,
  wanted: readonly Condition[],
  stamp: Stamp,
): StampedConditions {
  const old = new Map(readConditions(before).map((one) => [one.type, one]));
  const conditions = wanted.map((one) => stamped(one, old.get(one.type), stamp));
  const areThere = conditions.every((condition) => isSame(condition, old.get(condition.type)));
  return { conditions, areThere };
}

function stamped(
  { type, status, reason, message }: Condition,
  was: ReadCondition | undefined,
  { generation, now }: Stamp,
): WrittenCondition {
  const lastTransitionTime =
    was?.status === status && was.lastTransitionTime !== ""
      ? was.lastTransitionTime
      : new Date(now).toISOString().replace(/\.\d+Z$/, "Z");
  return {
    type,
    status,
    reason,
    message: shorten(message),
    observedGeneration: generation,
    lastTransitionTime,
  };
}

function isSameList(before: unknown, wanted: readonly IgnoredField[]): boolean {
  const old: readonly unknown[] = Array.isArray(before) ? before : [];
  return (
    old.length === wanted.length &&
    wanted.every(({ field, reason }, i) => {
      const was = recordOf(old[i]);
      return was["field"] === field && was["reason"] === reason;
    })
  );
}

function recordOf(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null ? { ...value } : {};
}

function shorten(message: string): string {
  return message.length <= MAX_MESSAGE ? message : `${message.slice(0, MAX_MESSAGE - 2)} …`;
}

function isSame(a: WrittenCondition, b: ReadCondition | undefined): boolean {
  return (
    a.status === b?.status &&
    a.reason === b.reason &&
    a.message === b.message &&
    a.observedGeneration === b.observedGeneration
  );
}

interface ReadCondition {
  readonly type: string;
  readonly status: string;
  readonly reason: string;
  readonly message: string;
  readonly observedGeneration: number;
  readonly lastTransitionTime: string;
}

function readConditions(value: unknown): readonly ReadCondition[] {
  if (!Array.isArray(value)) return [];
  return value.flatMap((entry: unknown) => {
    if (typeof entry !== "object" || entry === null) return [];
    const raw = recordOf(entry);
    const generation = raw["observedGeneration"];
    return [
      {
        type: textOf(raw["type"]),
        status: textOf(raw["status"]),
        reason: textOf(raw["reason"]),
        message: textOf(raw["message"]),
        observedGeneration: typeof generation === "number" ? generation : 0,
        lastTransitionTime: textOf(raw["lastTransitionTime"]),
      },
    ];
  });
}

function textOf(value: unknown): string {
  if (value instanceof Date) return value.toISOString();
  return typeof value === "string" ? value : "";
}
