/** Conditions of a Kubernetes object's status: what is written, and whether it differs from what is there. Pure. */

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

/** What is to be written; `undefined` where it is there already. `before` is raw, as the API holds it. */
export function changedConditions(
  before: unknown,
  wanted: readonly Condition[],
  { generation, now }: Stamp,
): readonly WrittenCondition[] | undefined {
  const old = new Map(readConditions(before).map((condition) => [condition.type, condition]));
  const written = wanted.map(({ type, status, reason, message }): WrittenCondition => {
    const was = old.get(type);
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
  });
  return written.every((condition) => isSame(condition, old.get(condition.type)))
    ? undefined
    : written;
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
    const raw: Readonly<Record<string, unknown>> = { ...entry };
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
