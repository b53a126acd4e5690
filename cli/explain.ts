/** `weftctl explain`: what a code of the access log, a metric or `x-weft-reason` means, and what to do. Asks no cluster. */
import type { Command } from "./command.ts";
import { CODE_GROUPS, type ExplainedCode, explainedCodes } from "./explain/catalogue.ts";
import type { CodeGroup } from "./explain/code-group.ts";
import { nearCodes } from "./explain/near-codes.ts";
import { print, table } from "./print.ts";

/** 0: told; 2: there is no such code. */
export function runExplain({ code, output }: Command): number {
  const all = explainedCodes();
  if (code === "") {
    print({ value: { codes: all }, text: listText }, output);
    return 0;
  }
  const found = all.find((each) => each.code === code);
  if (found) {
    print({ value: found, text: () => describe(found) }, output);
    return 0;
  }
  const near = nearCodes(
    code,
    all.map((each) => each.code),
  );
  if (output !== "table") print({ value: { code, near }, text: () => "" }, output);
  process.stderr.write(`${complaint(code, near)}\n`);
  return 2;
}

function complaint(code: string, near: readonly string[]): string {
  if (near.length === 0) {
    return `weftctl: there is no code ${code}; weftctl explain lists all`;
  }
  return `weftctl: there is no code ${code}; near are ${near.join(", ")}`;
}

function describe({ code, group, place, meaning, cause, cure, toldIn }: ExplainedCode): string {
  return [
    `${code}: ${meaning}`,
    "",
    `  cause    ${cause}`,
    `  cure     ${cure}`,
    `  kind     ${group}: ${place}`,
    `  told in  ${toldIn.join(", ")}`,
  ].join("\n");
}

function listText(): string {
  return CODE_GROUPS.map(groupText).join("\n\n");
}

function groupText({ title, place, codes }: CodeGroup): string {
  const rows = Object.entries(codes).map(([code, [meaning]]) => [code, meaning]);
  return `${title}, ${place}\n${table(["code", "what"], rows)}`;
}
