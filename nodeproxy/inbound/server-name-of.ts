/**
 * Which server does this ClientHello name? Pure; reads the one extension and walks over all others, known or not.
 *
 * Stricter than many servers are: what one of them may read as another name than we do has none that can be believed.
 */

/** RFC 8446 4.1.2: its version and its random. */
const FIXED_OCTETS = 34;
const SERVER_NAME = 0;
const HOST_NAME = 0;
/** RFC 6066 3: ASCII, as in DNS; no server knows one with other characters, and policies compare no port. */
const NAME = /^[A-Za-z0-9._-]{1,255}$/;

/** Session, cipher suites and compression methods: octets of their lengths, least and most octets. */
const BEFORE_EXTENSIONS = [
  [1, 0, 32],
  [2, 2, 65_534],
  [1, 1, 255],
] as const;

/** Octets from `from` to before `to`. */
interface Span {
  readonly from: number;
  readonly to: number;
}

/** `hello` without the header of the handshake message. "" where it names none; `undefined` where it is no ClientHello. */
export function serverNameOf(hello: Uint8Array): string | undefined {
  let at = FIXED_OCTETS;
  for (const [width, least, most] of BEFORE_EXTENSIONS) {
    const vector = vectorAt(hello, at, width);
    if (!vector) return undefined;
    const length = vector.to - vector.from;
    if (length < least || length > most) return undefined;
    at = vector.to;
  }
  // RFC 5246 7.4.1.2: "The presence of extensions can be detected by determining whether there are bytes following the
  // compression_methods at the end of the ClientHello."
  if (at === hello.length) return "";
  const extensions = vectorAt(hello, at, 2);
  return extensions?.to === hello.length ? nameAmong(hello, extensions) : undefined;
}

function nameAmong(hello: Uint8Array, extensions: Span): string | undefined {
  let name = "";
  for (let at = extensions.from; at < extensions.to; ) {
    const extension = vectorAt(hello, at + 2, 2);
    if (!extension) return undefined;
    if (numberAt(hello, at, 2) === SERVER_NAME) {
      // RFC 8446 4.2: "There MUST NOT be more than one extension of the same type in a given extension block."
      const found = name === "" ? nameIn(hello, extension) : undefined;
      if (found === undefined) return undefined;
      name = found;
    }
    at = extension.to;
  }
  return name;
}

/** Exactly one: RFC 6066 3: "The ServerNameList MUST NOT contain more than one name of the same name_type." */
function nameIn(hello: Uint8Array, extension: Span): string | undefined {
  const list = vectorAt(hello, extension.from, 2);
  if (list?.to !== extension.to || numberAt(hello, list.from, 1) !== HOST_NAME) return undefined;
  const host = vectorAt(hello, list.from + 1, 2);
  if (host?.to !== list.to) return undefined;
  const name = String.fromCharCode(
    ...hello.subarray(host.from, Math.min(host.to, host.from + 256)),
  );
  return NAME.test(name) ? name : undefined;
}

/** A vector whose length is written in `width` octets; `undefined` where it is not all there. */
function vectorAt(bytes: Uint8Array, at: number, width: number): Span | undefined {
  const from = at + width;
  if (from > bytes.length) return undefined;
  const to = from + numberAt(bytes, at, width);
  return to > bytes.length ? undefined : { from, to };
}

/** Big-endian. Octets that are not there are read as 0: who asks has seen that they are, or sees it next. */
function numberAt(bytes: Uint8Array, at: number, width: number): number {
  let number = 0;
  for (let i = at; i < at + width; i += 1) number = number * 256 + (bytes[i] ?? 0);
  return number;
}
