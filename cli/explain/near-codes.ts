/** Which codes may be meant by a word that is none. Pure. */

const MAX_NEAR = 5;

/** The nearest first: those a few letters away, then those that share the word or one of its parts. */
export function nearCodes(word: string, codes: readonly string[]): readonly string[] {
  const asked = word.toLowerCase().replaceAll(/[^a-z0-9]+/g, "_");
  const parts = asked.split("_").filter((part) => part.length > 2);
  const ranked = codes.flatMap((code) => {
    const letters = distance(asked, code);
    const shared = parts.filter((part) => code.includes(part)).length;
    if (letters <= Math.ceil(asked.length / 5)) return [{ code, rank: letters - parts.length }];
    return shared > 0 ? [{ code, rank: letters + 100 * (parts.length - shared) }] : [];
  });
  return ranked
    .toSorted((a, b) => a.rank - b.rank || (a.code < b.code ? -1 : 1))
    .slice(0, MAX_NEAR)
    .map(({ code }) => code);
}

/** Levenshtein's: letters to add, to take away or to exchange. */
function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, at) => at);
  for (let i = 1; i <= a.length; i += 1) {
    const next = [i];
    for (let j = 1; j <= b.length; j += 1) {
      const exchanged = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(exchanged, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1));
    }
    row = next;
  }
  return row[b.length] ?? 0;
}
