/** The ends of all logs of a mesh that a story left in pieces, for whoever has to find out why. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

/** Enough of each log to see why. */
const LOG_LINES = 20;
const LOG_COLUMNS = 400;

/** Of each log of programs in the folder, under its name. */
export function lastLines(folder: string): string {
  return readdirSync(folder)
    .filter((file) => !file.startsWith("access-"))
    .map((name) => {
      const lines = readFileSync(join(folder, name), "utf8")
        .trimEnd()
        .split("\n")
        .slice(-LOG_LINES)
        .map((line) => line.slice(0, LOG_COLUMNS));
      return `--- ${name}\n${lines.join("\n")}`;
    })
    .join("\n");
}
