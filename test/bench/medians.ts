/** The median of each figure over rounds, each by itself. */

export function medians<Figures extends object>(rounds: readonly Figures[]): Figures {
  const names = Object.keys(rounds[0] ?? {}) as (keyof Figures)[];
  return Object.fromEntries(
    names.map((name) => {
      const sorted = rounds.map((figures) => Number(figures[name])).sort((a, b) => a - b);
      return [name, sorted[Math.floor(sorted.length / 2)] ?? Number.NaN];
    }),
  ) as Figures;
}
