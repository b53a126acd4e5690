/** Tests that feed one parser with very many changed values, each of which is to be taken or refused. */
import { expect, test } from "@jest/globals";
import { mutateBytes, mutateText } from "./byte-mutation.ts";
import { pick, type Random } from "./der-mutation.ts";
import { fail, judgeMany } from "./mutation-run.ts";

type Verdict = "taken" | "refused";

/** `name`: what is tested. */
export function fuzz(name: string, share: number, judge: (random: Random) => Verdict): void {
  test(`${name}: whatever it is given is taken or refused`, () => {
    const counts = judgeMany(share, judge);
    // The changes reached both sides of the border.
    expect(counts).toEqual({ taken: expect.any(Number), refused: expect.any(Number) });
  });
}

export function fuzzText(
  name: string,
  { share, seeds }: { readonly share: number; readonly seeds: readonly string[] },
  judge: (text: string) => Verdict,
): void {
  fuzz(name, share, (random) => judge(mutateText(random, pick(random, seeds), seeds)));
}

export function fuzzBytes(
  name: string,
  { share, seeds }: { readonly share: number; readonly seeds: readonly Buffer[] },
  judge: (bytes: Buffer, random: Random) => Verdict,
): void {
  fuzz(name, share, (random) => judge(mutateBytes(random, pick(random, seeds), seeds), random));
}

export function hold(isSo: boolean, what: string, of: string | Buffer): void {
  if (!isSo) fail(what, typeof of === "string" ? Buffer.from(of) : of);
}

/** Refuses by throwing, which is its way; any other error goes on. */
export function throwsOnly(isExpected: (error: unknown) => boolean, work: () => void): Verdict {
  try {
    work();
    return "taken";
  } catch (error) {
    if (isExpected(error)) return "refused";
    throw error;
  }
}
