/** How long, as people write it: `90`, `90s`, `10m`, `1h30m`. Seconds, or `undefined` for what is none. */
export function parseDurationSeconds(text: string): number | undefined {
  if (/^\d{1,9}(?:\.\d{1,3})?$/.test(text)) return Number(text);
  const [match, h, m, s] = /^(?:(\d{1,6})h)?(?:(\d{1,6})m)?(?:(\d{1,6})s)?$/.exec(text) ?? [];
  if (match === undefined || match === "") return undefined;
  return Number(h ?? 0) * 3600 + Number(m ?? 0) * 60 + Number(s ?? 0);
}
