/** Colours for a terminal, and nothing but the text elsewhere. */

export type Paint = (tone: "good" | "bad" | "faint", text: string) => string;

const CODES = { good: "32", bad: "31", faint: "2" } as const;

interface Screen {
  readonly isTTY?: boolean;
  /** False also where NO_COLOR says so. Of terminals only. */
  hasColors?(): boolean;
}

export function choosePaint(screen: Screen): Paint {
  return screen.isTTY === true && screen.hasColors?.() === true ? paintTerminal : paintNothing;
}

function paintTerminal(tone: keyof typeof CODES, text: string): string {
  return `\u001b[${CODES[tone]}m${text}\u001b[0m`;
}

function paintNothing(_: keyof typeof CODES, text: string): string {
  return text;
}
