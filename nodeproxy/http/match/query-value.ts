/** What does a query say for a name? As servers read it: pairs between `&`, percents decoded, `+` for a space. Pure. */

/** The first value, "" for a name alone; `undefined` where it is not there. `query`: with its "?", or "". */
export function queryValue(query: string, name: string): string | undefined {
  let start = 1;
  while (start < query.length) {
    const next = query.indexOf("&", start);
    const end = next < 0 ? query.length : next;
    const sign = query.indexOf("=", start);
    const isPair = sign >= 0 && sign < end;
    if (isNamed(query.slice(start, isPair ? sign : end), name)) {
      return isPair ? decoded(query.slice(sign + 1, end)) : "";
    }
    start = end + 1;
  }
  return undefined;
}

function isNamed(text: string, name: string): boolean {
  return text === name || (ENCODED.test(text) && decoded(text) === name);
}

const ENCODED = /[%+]/;

/** Percents that encode nothing stay as they are; bytes that are no UTF-8 as well. */
function decoded(text: string): string {
  if (!ENCODED.test(text)) return text;
  return text.replaceAll("+", " ").replaceAll(/(?:%[0-9A-Fa-f]{2})+/g, (run) => {
    try {
      return decodeURIComponent(run);
    } catch {
      return run;
    }
  });
}
