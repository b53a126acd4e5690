/**
 * The one form of a request's path: what policies compare and what the workload receives.
 *
 * Repaired is what every server reads alike once it is repaired (RFC 3986 6.2.2); refused is what servers read in
 * different ways, whatever is done to it. So of two paths in this form no server takes one for the other, whether
 * it decodes percents, merges slashes, strips `;` parameters or does nothing of it. Pure.
 */

export type PathRefusal =
  /** Neither `/…` nor (with OPTIONS) `*`. */
  | "path_not_absolute"
  /** A control or white space, encoded or not. */
  | "path_control"
  /** Bytes above 0x7f that are not encoded, or encoded ones that are not UTF-8. */
  | "path_not_ascii"
  | "path_not_utf8"
  /** `#`: what follows belongs to the client. */
  | "path_fragment"
  /** `%` without two hex digits. */
  | "path_malformed_percent"
  /** `%25` before two hex digits: a server that decodes twice reads something else. */
  | "path_double_encoded"
  /** `%2F`, `%5C`: a part of a segment, or the end of it. */
  | "path_encoded_slash"
  /** `;`, `%3B`: a part of a segment, or what servers strip from it. */
  | "path_parameters";

export type NormalisedPath =
  | { readonly kind: "path"; readonly path: string }
  | { readonly kind: "refused"; readonly reason: PathRefusal };

/** Most paths. Segments that begin with a dot are looked at more closely. */
const PLAIN = /^(?:\/[\w~!$&'()*+,=:@-][\w.~!$&'()*+,=:@-]*)+\/?$/;

/** `path`: without the query. */
export function normalisePath(path: string): NormalisedPath {
  if (path === "" || path === "/") return { kind: "path", path: "/" };
  if (PLAIN.test(path)) return { kind: "path", path };
  const read = readCharacters(path);
  if (read.kind === "refused") return read;
  if (!read.path.startsWith("/")) return refused("path_not_absolute");
  return { kind: "path", path: withoutDots(read.path.replaceAll(/\/{2,}/g, "/")) };
}

function readCharacters(path: string): NormalisedPath {
  const out: string[] = [];
  /** Encoded bytes above 0x7f that stand together. */
  let bytes: number[] = [];
  for (let i = 0; i < path.length; i += 1) {
    const one = characterAt(path, i);
    if (one.kind === "refused") return one;
    if (one.kind !== "byte") {
      if (!isUtf8(bytes)) return refused("path_not_utf8");
      bytes = [];
    } else bytes.push(one.byte);
    out.push(one.text);
    i += one.length - 1;
  }
  if (!isUtf8(bytes)) return refused("path_not_utf8");
  const text = out.join("");
  return DOUBLE.test(text) ? refused("path_double_encoded") : { kind: "path", path: text };
}

type Character =
  | { readonly kind: "character"; readonly text: string; readonly length: number }
  | { readonly kind: "byte"; readonly text: string; readonly length: 3; readonly byte: number }
  | { readonly kind: "refused"; readonly reason: PathRefusal };

function characterAt(path: string, at: number): Character {
  const code = path.charCodeAt(at);
  if (code === PERCENT) return encodedAt(path, at);
  const reason = refusalOf(code);
  if (reason !== undefined) return refused(reason);
  if (code === BACKSLASH) return { kind: "character", text: "/", length: 1 };
  const isOwn = code === SLASH || isLiteral(code);
  return { kind: "character", text: isOwn ? path.charAt(at) : encoded(code), length: 1 };
}

function encodedAt(path: string, at: number): Character {
  const digits = path.slice(at + 1, at + 3);
  if (!HEX.test(digits)) return refused("path_malformed_percent");
  const code = Number.parseInt(digits, 16);
  if (code > 0x7f) return { kind: "byte", text: encoded(code), length: 3, byte: code };
  if (code === SLASH || code === BACKSLASH) return refused("path_encoded_slash");
  if (code === SEMICOLON) return refused("path_parameters");
  // Blanks are part of names, if they are encoded.
  if ((code < 0x20 || code === DELETE) && code !== BLANK) return refused("path_control");
  const text = isLiteral(code) ? String.fromCharCode(code) : encoded(code);
  return { kind: "character", text, length: 3 };
}

const BLANK = 0x20;
const HASH = 0x23;
const PERCENT = 0x25;
const SLASH = 0x2f;
const SEMICOLON = 0x3b;
const QUESTION = 0x3f;
const BACKSLASH = 0x5c;
const DELETE = 0x7f;
/** Looked for at the end: the digits may have been encoded themselves. */
const DOUBLE = /%25[0-9A-Fa-f]{2}/;
const HEX = /^[0-9A-Fa-f]{2}$/;

function refusalOf(code: number): PathRefusal | undefined {
  if (code <= BLANK || code === DELETE) return "path_control";
  if (code > DELETE) return "path_not_ascii";
  if (code === HASH) return "path_fragment";
  if (code === SEMICOLON) return "path_parameters";
  // It would begin the query.
  return code === QUESTION ? "path_not_absolute" : undefined;
}

// RFC 3986 3.3: pchar, without ";". Servers that decode take the encoded and the literal one for the same.
const LITERALS = "-._~!$&'()*+,=:@";

function isLiteral(code: number): boolean {
  const isDigit = code >= 0x30 && code <= 0x39;
  const isLetter = (code | 0x20) >= 0x61 && (code | 0x20) <= 0x7a;
  return isDigit || isLetter || LITERALS.includes(String.fromCharCode(code));
}

function encoded(code: number): string {
  return `%${code.toString(16).toUpperCase().padStart(2, "0")}`;
}

/** RFC 3629 4: what a character may begin with, and what may come next; overlong forms and surrogates are none. */
const BEGINNINGS: readonly (readonly [from: number, to: number, low: number, high: number])[] = [
  [0xc2, 0xdf, 0x80, 0xbf],
  [0xe0, 0xe0, 0xa0, 0xbf],
  [0xe1, 0xec, 0x80, 0xbf],
  [0xed, 0xed, 0x80, 0x9f],
  [0xee, 0xef, 0x80, 0xbf],
  [0xf0, 0xf0, 0x90, 0xbf],
  [0xf1, 0xf3, 0x80, 0xbf],
  [0xf4, 0xf4, 0x80, 0x8f],
];

function isUtf8(bytes: readonly number[]): boolean {
  for (let i = 0; i < bytes.length; ) {
    const [first = 0, second = 0, ...rest] = bytes.slice(i, i + 4);
    const found = BEGINNINGS.find(([from, to]) => first >= from && first <= to);
    if (!found || second < found[2] || second > found[3]) return false;
    const length = first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
    const more = rest.slice(0, length - 2);
    if (more.length < length - 2 || more.some((byte) => (byte & 0xc0) !== 0x80)) return false;
    i += length;
  }
  return true;
}

/** RFC 3986 5.2.4. What would lead above the root stays there. */
function withoutDots(path: string): string {
  const kept: string[] = [];
  const segments = path.split("/").slice(1);
  for (const [i, segment] of segments.entries()) {
    const isLast = i === segments.length - 1;
    if (segment === "..") kept.pop();
    if (segment !== "." && segment !== "..") kept.push(segment);
    else if (isLast) kept.push("");
  }
  return `/${kept.join("/")}`;
}

function refused(reason: PathRefusal): { readonly kind: "refused"; readonly reason: PathRefusal } {
  return { kind: "refused", reason };
}
