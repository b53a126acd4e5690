/**
 * Writes heads: the one place where a head of HTTP/1 becomes text again. What says where the message ends is never
 * taken from its fields, but from how its body is carried.
 */
import type { Framing } from "./http1-framing.ts";
import type { FieldLines, RequestHead, ResponseHead } from "./message.ts";

/** Said by whoever carries the message, not by its fields. */
const OURS: ReadonlySet<string> = new Set([
  "connection",
  "content-length",
  "host",
  "keep-alive",
  "transfer-encoding",
  "upgrade",
]);

// An `import` would load all of `fetch` with it.
const { STATUS_CODES } = process.getBuiltinModule("node:http");

/** No line of ours may end before its end, whoever gave its words. */
const UNSAFE = /[\0\r\n]/;

/** True where a head's words, after whoever judged it has changed them, are still each a word of one line. */
export function isWritable(head: RequestHead): boolean {
  const { method, authority, path, query, upgrade, fields } = head;
  if (!/^[!#$%&'*+.^_`|~\w-]+$/.test(method) || !/^(?:\/[!-~]*|\*)$/.test(path + query))
    return false;
  if (UNSAFE.test(authority) || UNSAFE.test(upgrade)) return false;
  return fields.every((word, i) => (i % 2 === 0 ? isName(word) : !UNSAFE.test(word)));
}

function isName(name: string): boolean {
  return /^[!#$%&'*+.^_`|~\w-]+$/.test(name);
}

export function requestText(head: RequestHead, framing: Framing): string {
  let text = `${head.method} ${head.path}${head.query} HTTP/1.1\r\nhost: ${head.authority}\r\n`;
  text += linesText(head.fields);
  text += framingText(framing);
  if (head.upgrade !== "") text += `connection: upgrade\r\nupgrade: ${head.upgrade}\r\n`;
  else if (valueOf(head.fields, "te") !== undefined) text += "connection: te\r\n";
  return `${text}\r\n`;
}

/** What the response's connection header is to say; "" for nothing. */
export type ConnectionWord = "" | "close" | "keep-alive";

export function responseText(
  { status, fields }: ResponseHead,
  framing: Framing,
  word: ConnectionWord,
): string {
  let text = statusLine(status);
  text += linesText(fields);
  text += framingText(framing);
  if (word !== "") text += `connection: ${word}\r\n`;
  return `${text}\r\n`;
}

/** Of a message without body that tells how long it would be: HEAD, 304. */
export function bodilessText(head: ResponseHead, word: ConnectionWord): string {
  const { status, fields } = head;
  let text = statusLine(status) + linesText(fields);
  const length = valueOf(fields, "content-length");
  // RFC 9110 8.6: "A server MUST NOT send a Content-Length header field in any response with a status code of 1xx or 204".
  if (length !== undefined && status >= 200 && status !== 204) {
    text += `content-length: ${length}\r\n`;
  }
  if (word !== "") text += `connection: ${word}\r\n`;
  return `${text}\r\n`;
}

export function upgradedText({ fields }: ResponseHead, upgrade: string): string {
  return `${statusLine(101)}${linesText(fields)}connection: upgrade\r\nupgrade: ${upgrade}\r\n\r\n`;
}

/** Of a chunked body: its end, with trailers. */
export function lastChunkText(trailers: FieldLines): string {
  return `0\r\n${linesText(trailers)}\r\n`;
}

function valueOf(fields: FieldLines, name: string): string | undefined {
  for (let i = 0; i + 1 < fields.length; i += 2) if (fields[i] === name) return fields[i + 1];
  return undefined;
}

function statusLine(status: number): string {
  return `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ""}\r\n`;
}

function framingText(framing: Framing): string {
  switch (framing.kind) {
    case "length":
      return `content-length: ${framing.octets}\r\n`;
    case "chunked":
      return "transfer-encoding: chunked\r\n";
    case "none":
    case "close":
      return "";
  }
}

function linesText(fields: FieldLines): string {
  let text = "";
  for (let i = 0; i + 1 < fields.length; i += 2) {
    const name = fields[i] ?? "";
    if (!OURS.has(name)) text += `${name}: ${fields[i + 1]}\r\n`;
  }
  return text;
}
