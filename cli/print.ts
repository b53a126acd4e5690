/** How weftctl prints: one object as JSON or YAML, or a table whose columns line up. */
import { stringify } from "yaml";
import type { OutputFormat } from "./command.ts";

export interface Printable {
  readonly value: object;
  /** Lines for people. */
  readonly text: () => string;
}

export function print({ value, text }: Printable, output: OutputFormat): void {
  switch (output) {
    case "json":
      process.stdout.write(`${JSON.stringify(value)}\n`);
      break;
    case "yaml":
      process.stdout.write(stringify(value));
      break;
    case "table":
      process.stdout.write(`${text()}\n`);
      break;
  }
}

/** Rows of cells under upper-case heads, two spaces between the columns. */
export function table(heads: readonly string[], rows: readonly (readonly string[])[]): string {
  const all = [heads.map((head) => head.toUpperCase()), ...rows];
  const widths = heads.map((_, column) =>
    Math.max(...all.map((row) => (row[column] ?? "").length)),
  );
  return all
    .map((row) =>
      row
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join("  ")
        .trimEnd(),
    )
    .join("\n");
}
