/** A request's path as a rewrite or a redirect changes it (Gateway API HTTPPathModifier). Pure. */
import type { PathChange } from "../../../core/model/http-route.ts";

export type ChangePath = (path: string) => string;

/** `prefix`: that the rule matched, without a slash at the end; `undefined` where it matched otherwise, which leaves the path as it is. */
export function compilePathChange(change: PathChange, prefix: string | undefined): ChangePath {
  const value = encoded(change.value);
  if (change.kind === "full") {
    const path = value.startsWith("/") ? value : `/${value}`;
    return () => path;
  }
  if (prefix === undefined) return (path) => path;
  // "When specified, a trailing `/` is ignored."
  const base = value.endsWith("/") ? value.slice(0, -1) : value;
  const start = base === "" || base.startsWith("/") ? base : `/${base}`;
  return (path) => {
    if (!hasPrefix(path, prefix)) return path;
    const changed = start + path.slice(prefix.length);
    return changed === "" ? "/" : changed;
  };
}

/** By whole elements between slashes. */
function hasPrefix(path: string, prefix: string): boolean {
  if (!path.startsWith(prefix)) return false;
  return path.length === prefix.length || path.charAt(prefix.length) === "/";
}

/** What is no part of a path never leaves as it was written. */
function encoded(value: string): string {
  return value.toWellFormed().replaceAll(/[^!-~]|[?#]/gu, (text) => encodeURIComponent(text));
}
