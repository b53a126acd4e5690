/** How long, for people: the two largest units. */

const UNITS = [
  ["y", 365 * 86_400],
  ["d", 86_400],
  ["h", 3_600],
  ["m", 60],
  ["s", 1],
] as const;

/** `23h 10m`; `-4m 2s` where it is over. */
export function formatDuration(seconds: number): string {
  let left = Math.floor(Math.abs(seconds));
  const words: string[] = [];
  for (const [unit, size] of UNITS) {
    const count = Math.floor(left / size);
    left -= count * size;
    if (count > 0 || (unit === "s" && words.length === 0)) words.push(`${count}${unit}`);
  }
  return (seconds < 0 ? "-" : "") + words.slice(0, 2).join(" ");
}
