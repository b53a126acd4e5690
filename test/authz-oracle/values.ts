/** Does a value as written match a text? Each form in the plainest way, no case shared with the product. */

/** `exact`, `prefix*`, `*suffix`, `*`. */
export function fits(written: string, text: string): boolean {
  if (written === "*") return text.length > 0;
  if (written.endsWith("*")) return text.indexOf(written.slice(0, -1)) === 0;
  if (written.startsWith("*")) {
    const end = written.slice(1);
    return text.length >= end.length && text.substring(text.length - end.length) === end;
  }
  return written.length === text.length && written.localeCompare(text) === 0 && written === text;
}

export function fitsPath(written: string, path: string): boolean {
  if (!written.includes("{")) return fits(written, path);
  const pattern = written
    .split("/")
    .map((segment) => {
      if (segment === "{*}") return "[^/]+";
      return segment === "{**}" ? "[^]*" : segment.replace(/[^\w]/g, "\\$&");
    })
    .join("/");
  return new RegExp(`^${pattern}$`).test(path);
}

/** `issuer/subject`, split at the last slash; a star belongs to the half that it stands in. */
export function fitsRequestPrincipal(written: string, issuer: string, subject: string): boolean {
  const parts = written.split("/");
  if (parts.length > 1) {
    const last = parts.pop() ?? "";
    return fits(parts.join("/"), issuer) && fits(last, subject);
  }
  if (written === "*") return issuer !== "" && subject !== "";
  if (written.startsWith("*")) return issuer !== "" && fits(written, subject);
  if (written.endsWith("*")) return fits(written, issuer) && subject !== "";
  return written === issuer && subject === "";
}

/** All texts that mean the host of a request: its case, its port and the root's dot do not count. */
export function hostTexts(host: string): readonly string[] {
  const sent = host.toLowerCase();
  if (sent === "") return [];
  const parts = /^(\[[^\]]*\]|[^:]*)(?::[^:]*)?$/.exec(sent);
  const bare = parts?.[1] ?? sent;
  return [sent, bare, bare.replace(/\.$/, "")];
}

/** Every way to read the lines of one header. */
export function headerReadings(lines: readonly string[]): readonly string[] {
  const items = lines.filter((line) => line.includes(",")).flatMap((line) => line.split(","));
  return [
    ...lines,
    ...items.map((item) => item.trim()),
    ...(lines.length > 1 ? [lines.join(",")] : []),
  ];
}

export function claimValues(
  claims: Readonly<Record<string, unknown>> | undefined,
  names: readonly string[],
): readonly string[] {
  let found: unknown = claims;
  for (const name of names) {
    const isObject = typeof found === "object" && found !== null && !Array.isArray(found);
    found = isObject
      ? Object.entries(found as object).find(([key]) => key === name)?.[1]
      : undefined;
  }
  if (Array.isArray(found)) return found.filter((item): item is string => typeof item === "string");
  if (typeof found !== "string") return [];
  const isSpaced = names.length === 1 && ["scope", "permission"].includes(names[0] ?? "");
  return isSpaced ? found.split(" ").filter((word) => word.length > 0) : [found];
}
