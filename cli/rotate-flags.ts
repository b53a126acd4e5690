/** The flags of `ca rotate`, and which of them do not go together. */

/** Of `ca rotate` alone. */
export interface RotateFlags {
  /**
   * What is exchanged: the roots that everybody trusts, or only the certificate that signs. "" where the
   * one under way is meant, whichever it is.
   */
  readonly authority: "root" | "intermediate" | "";
  readonly dryRun: boolean;
  readonly abort: boolean;
  /** Nodes to go on without. */
  readonly waive: readonly string[];
}

interface GivenFlags {
  readonly dryRun?: boolean | undefined;
  readonly abort?: boolean | undefined;
  readonly waive?: readonly string[] | undefined;
}

export function readRotateFlags({
  dryRun = false,
  abort = false,
  waive = [],
}: GivenFlags): Omit<RotateFlags, "authority"> {
  return { dryRun, abort, waive: [...new Set(waive)] };
}

interface CheckedFlags extends Omit<RotateFlags, "authority"> {
  readonly hasAuthority: boolean;
}

/** All that is wrong with them; with another command every one of them is. */
export function refuseRotateFlags(isRotate: boolean, flags: CheckedFlags): readonly string[] {
  const { dryRun, abort, waive, hasAuthority } = flags;
  const given = [
    abort ? ["abort"] : [],
    dryRun ? ["dry-run"] : [],
    waive.length > 0 ? ["waive"] : [],
  ];
  const names = given.flat();
  if (!isRotate) return names.map((name) => `--${name}: only of ca rotate`);
  const reasons: string[] = [];
  if (!hasAuthority && !abort && (dryRun || waive.length === 0)) {
    reasons.push("ca rotate: say which, root or intermediate");
  }
  if (names.length > 1) reasons.push(`--${names.join(", --")}: not together`);
  if (waive.includes("")) reasons.push("--waive: names no node");
  return reasons;
}
