/**
 * Requests as Http11Probe (github.com/MDA2AV/Http11Probe) sends them: those of its cases that it ranks as MUST, by their ids in its
 * "RFC Requirement Dashboard" (113 of 194). Written from what each says that it sends. Not a test itself.
 */

export const HOST = "Host: api.shop\r\n";
const CHUNKED = "Transfer-Encoding: chunked";
const FOLDED = "Transfer-Encoding:\r\n chunked";

/** Lines without their end; the body as it stands. */
function get(...lines: readonly string[]): string {
  return request("GET / HTTP/1.1", lines, "");
}

function post(lines: readonly string[], body = ""): string {
  return request("POST / HTTP/1.1", lines, body);
}

function line(text: string): string {
  return request(text, [], "");
}

function request(start: string, lines: readonly string[], body: string): string {
  return `${start}\r\n${HOST}${lines.map((one) => `${one}\r\n`).join("")}\r\n${body}`;
}

function chunked(body: string): string {
  return post([CHUNKED], body);
}

/** A body of five octets beside a transfer coding. */
function coded(coding: string): string {
  return post([coding, "Content-Length: 5"], "hello");
}

function sized(length: string, body = "hello"): string {
  return post([`Content-Length: ${length}`], body);
}

/** Behind what a reader of chunks takes for the end, a request; a reader of lengths takes it for the body. */
function smuggled(coding: string, { method = "GET", length = "" } = {}): string {
  const body = `0\r\n\r\n${method} / HTTP/1.1\r\n${HOST}\r\n`;
  const told = length === "" ? `${body.length}` : length.replace("N", `${body.length}`);
  return post([`Content-Length: ${told}`, coding], body);
}

/** A reader of lengths takes the size of the first chunk for the body, and the chunk for the next request. */
function smuggledInChunk(): string {
  const inside = `GET / HTTP/1.1\r\n${HOST}Content-Length: 7\r\n\r\n`;
  const size = inside.length.toString(16);
  return post([CHUNKED, `Content-Length: ${size.length + 2}`], `${size}\r\n${inside}\r\n0\r\n\r\n`);
}

function smuggledBehindShorterLength(): string {
  const body = `PINGGET / HTTP/1.1\r\n${HOST}\r\n`;
  return post(["Content-Length: 4", `Content-Length: ${body.length}`], body);
}

type Case = readonly [id: string, text: string];

/** 400, and nothing else. */
export const STRICTLY_REFUSED: readonly Case[] = [
  ["RFC9110-5.6.2-SP-BEFORE-COLON", get("X-Test : value")],
  ["RFC9112-5.1-OBS-FOLD", get("X-Test: value", " continued")],
  ["RFC9112-7.1-MISSING-HOST", "GET / HTTP/1.1\r\n\r\n"],
  ["RFC9110-5.4-DUPLICATE-HOST", get("Host: other.example.com")],
  ["COMP-DUPLICATE-HOST-SAME", get("Host: api.shop")],
  ["RFC9112-3-CR-ONLY-LINE-ENDING", `GET / HTTP/1.1\r${HOST}\r\n`],
];

/** 400, 501 where the coding or method is only unknown, or no answer at all. */
export const REFUSED: readonly Case[] = [
  ["RFC9112-5-EMPTY-HEADER-NAME", get(": empty-name")],
  ["RFC9112-5-INVALID-HEADER-NAME", get("Bad[Name: value")],
  ["RFC9112-5-HEADER-NO-COLON", get("NoColonHere")],
  ["COMP-WHITESPACE-BEFORE-HEADERS", `GET / HTTP/1.1\r\n \r\n${HOST}\r\n`],
  ["RFC9112-3-MISSING-TARGET", line("GET HTTP/1.1")],
  ["COMP-ASTERISK-WITH-GET", line("GET * HTTP/1.1")],
  ["COMP-HOST-WITH-USERINFO", "GET / HTTP/1.1\r\nHost: user@api.shop\r\n\r\n"],
  ["COMP-HOST-WITH-PATH", "GET / HTTP/1.1\r\nHost: api.shop/path\r\n\r\n"],
  ["COMP-HOST-EMPTY-VALUE", "GET / HTTP/1.1\r\nHost: \r\n\r\n"],
  ["COMP-VERSION-MISSING-MINOR", line("GET / HTTP/1")],
  ["COMP-VERSION-LEADING-ZEROS", line("GET / HTTP/01.01")],
  ["COMP-VERSION-WHITESPACE", line("GET / HTTP/ 1.1")],
  ["COMP-VERSION-CASE", line("GET / http/1.1")],
  ["COMP-SPACE-IN-TARGET", line("GET /pa th HTTP/1.1")],
  ["COMP-UNKNOWN-TE-501", post(["Transfer-Encoding: gzip"])],
  ["RFC9112-6.1-CL-NON-NUMERIC", sized("abc", "")],
  ["RFC9112-6.1-CL-PLUS-SIGN", sized("+5")],
  ["SMUG-DUPLICATE-CL", post(["Content-Length: 5", "Content-Length: 10"], "helloworld")],
  ["SMUG-CL-COMMA-DIFFERENT", sized("5, 10")],
  ["SMUG-CL-NEGATIVE", sized("-1", "")],
  ["SMUG-CL-NEGATIVE-ZERO", sized("-0", "")],
  ["SMUG-CL-UNDERSCORE", sized("1_0", "helloworld")],
  ["SMUG-CL-OCTAL", sized("0o5")],
  ["SMUG-CL-HEX-PREFIX", sized("0x5")],
  ["SMUG-CL-INTERNAL-SPACE", sized("1 0", "hello12345")],
  ["SMUG-TE-SP-BEFORE-COLON", coded("Transfer-Encoding : chunked")],
  ["SMUG-TE-NOT-FINAL-CHUNKED", post(["Transfer-Encoding: chunked, gzip"], "0\r\n\r\n")],
  ["SMUG-TE-HTTP10", request("POST / HTTP/1.0", [CHUNKED, "Content-Length: 5"], "hello")],
  ["SMUG-TE-EMPTY-VALUE", coded("Transfer-Encoding: ")],
  ["SMUG-TE-DUPLICATE-HEADERS", coded(`${CHUNKED}\r\nTransfer-Encoding: identity`)],
  ["SMUG-TE-IDENTITY", coded("Transfer-Encoding: identity")],
  ["SMUG-TE-VTAB", coded("Transfer-Encoding: \x0bchunked")],
  ["SMUG-TE-FORMFEED", coded("Transfer-Encoding: \x0cchunked")],
  ["SMUG-TE-NULL", coded(`${CHUNKED}\0`)],
  ["SMUG-TE-XCHUNKED", coded("Transfer-Encoding: xchunked")],
  ["SMUG-TE-TRAILING-SPACE", coded(`${CHUNKED} `)],
  ["SMUG-TE-OBS-FOLD", coded(FOLDED)],
  ["SMUG-BARE-CR-HEADER-VALUE", post(["Content-Length: 5", "X-Test: val\rue"], "hello")],
  ["SMUG-MULTIPLE-HOST-COMMA", "GET / HTTP/1.1\r\nHost: api.shop, other.example.com\r\n\r\n"],
  ["SMUG-CHUNK-BARE-SEMICOLON", chunked("5;\r\nhello\r\n0\r\n\r\n")],
  ["SMUG-CHUNK-HEX-PREFIX", chunked("0x5\r\nhello\r\n0\r\n\r\n")],
  ["SMUG-CHUNK-UNDERSCORE", chunked("1_0\r\nhello world!!!!!\r\n0\r\n\r\n")],
  ["SMUG-CHUNK-LEADING-SP", chunked(" 5\r\nhello\r\n0\r\n\r\n")],
  ["SMUG-CHUNK-MISSING-TRAILING-CRLF", chunked("5\r\nhello0\r\n\r\n")],
  ["SMUG-CHUNK-SPILL", chunked("5\r\nhello!!\r\n0\r\n\r\n")],
  ["SMUG-CHUNK-NEGATIVE", chunked("-1\r\nhello\r\n0\r\n\r\n")],
  ["SMUG-CHUNK-SIZE-PLUS", chunked("+5\r\nhello\r\n0\r\n\r\n")],
  ["SMUG-CHUNK-SIZE-TRAILING-OWS", chunked("5 \r\nhello\r\n0\r\n\r\n")],
  ["SMUG-CHUNK-EXT-CTRL", chunked("5;\0ext\r\nhello\r\n0\r\n\r\n")],
  ["SMUG-CHUNK-EXT-CR", chunked("5;a\rX\r\nhello\r\n0\r\n\r\n")],
  ["SMUG-CHUNK-EXT-INVALID-TOKEN", chunked("5;bad[=x\r\nhello\r\n0\r\n\r\n")],
  ["SMUG-CHUNK-BARE-CR-TERM", chunked("5\rhello\r\n0\r\n\r\n")],
  ["SMUG-CHUNK-INVALID-SIZE-DESYNC", chunked("+0\r\n\r\nX")],
  ["SMUG-CLTE-PIPELINE", post(["Content-Length: 4", CHUNKED], "0\r\n\r\n")],
  ["SMUG-TECL-PIPELINE", post([CHUNKED, "Content-Length: 30"], "0\r\n\r\n")],
  ["SMUG-CLTE-CONN-CLOSE", post(["Content-Length: 5", CHUNKED], "0\r\n\r\n")],
  ["SMUG-TECL-CONN-CLOSE", post([CHUNKED, "Content-Length: 5"], "0\r\n\r\n")],
  ["SMUG-CLTE-DESYNC", post(["Content-Length: 6", CHUNKED], "0\r\n\r\nX")],
  ["SMUG-TECL-DESYNC", post([CHUNKED, "Content-Length: 30"], "0\r\n\r\nX")],
  ["SMUG-OPTIONS-TE-OBS-FOLD", coded(FOLDED).replace("POST", "OPTIONS")],
  ["SMUG-CLTE-SMUGGLED-GET", smuggled(CHUNKED)],
  ["SMUG-CLTE-SMUGGLED-GET-CL-PLUS", smuggled(CHUNKED, { length: "+N" })],
  ["SMUG-CLTE-SMUGGLED-GET-CL-NON-NUMERIC", smuggled(CHUNKED, { length: "Nx" })],
  ["SMUG-CLTE-SMUGGLED-GET-TE-OBS-FOLD", smuggled(FOLDED)],
  ["SMUG-CLTE-SMUGGLED-HEAD", smuggled(CHUNKED, { method: "HEAD" })],
  ["SMUG-CLTE-SMUGGLED-GET-TE-TRAILING-SPACE", smuggled(`${CHUNKED} `)],
  ["SMUG-CLTE-SMUGGLED-GET-TE-LEADING-COMMA", smuggled("Transfer-Encoding: , chunked")],
  ["SMUG-CLTE-SMUGGLED-GET-TE-CASE-MISMATCH", smuggled("Transfer-Encoding: Chunked")],
  ["SMUG-TE-DUPLICATE-HEADERS-SMUGGLED-GET", smuggled(`${CHUNKED}\r\nTransfer-Encoding: identity`)],
  ["SMUG-TECL-SMUGGLED-GET", smuggledInChunk()],
  ["SMUG-DUPLICATE-CL-SMUGGLED-GET", smuggledBehindShorterLength()],
  ["MAL-NUL-IN-URL", line("GET /\0test HTTP/1.1")],
  ["MAL-CONTROL-CHARS-HEADER", get("X-Test: abc\x07\x08\x0bdef")],
  ["MAL-NON-ASCII-HEADER-NAME", get("X-T\xc3\xabst: value")],
  ["MAL-NON-ASCII-URL", line("GET /caf\xc3\xa9 HTTP/1.1")],
  ["MAL-CL-OVERFLOW", sized("99999999999999999999", "")],
  ["MAL-NUL-IN-HEADER-VALUE", get("X-Test: val\0ue")],
  ["MAL-CHUNK-SIZE-OVERFLOW", chunked("FFFFFFFFFFFFFFFF0\r\nhello\r\n0\r\n\r\n")],
  ["MAL-CL-EMPTY", sized("", "")],
  ["MAL-URL-OVERLONG-UTF8", line("GET /\xc0\xaf HTTP/1.1")],
  ["NORM-SP-BEFORE-COLON-CL", post(["Content-Length: 11", "Content-Length : 5"], "hello world")],
  ["NORM-TAB-IN-NAME", post(["Content-Length: 11", "Content\tLength: 99"], "hello world")],
];

/** The rest of them does not come. Never taken for whole. */
export const INCOMPLETE: readonly Case[] = [
  ["COMP-POST-CL-UNDERSEND", sized("10")],
  ["COMP-CHUNKED-NO-FINAL", chunked("5\r\nhello\r\n")],
  ["MAL-POST-CL-HUGE-NO-BODY", sized("999999999", "")],
];

/** Carried whole, with this body. */
export const ACCEPTED: readonly (readonly [id: string, text: string, body: string])[] = [
  ["COMP-POST-CL-BODY", sized("5"), "hello"],
  ["COMP-POST-CL-ZERO", sized("0", ""), ""],
  ["COMP-POST-NO-CL-NO-TE", post([]), ""],
  ["COMP-RANGE-POST", post(["Content-Length: 5", "Range: bytes=0-10"], "hello"), "hello"],
  ["COMP-CHUNKED-BODY", chunked("5\r\nhello\r\n0\r\n\r\n"), "hello"],
  ["COMP-CHUNKED-MULTI", chunked("5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n"), "hello world"],
  ["COMP-CHUNKED-EMPTY", chunked("0\r\n\r\n"), ""],
  ["COMP-CHUNKED-HEX-UPPERCASE", chunked("A\r\nhelloworld\r\n0\r\n\r\n"), "helloworld"],
  ["COMP-CHUNKED-TRAILER-VALID", chunked("5\r\nhello\r\n0\r\nX-Checksum: abc\r\n\r\n"), "hello"],
  ["COMP-CHUNKED-EXTENSION", chunked("5;ext=value\r\nhello\r\n0\r\n\r\n"), "hello"],
];

const KEY = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==";
const ASKED = ["Connection: Upgrade", "Upgrade: websocket", KEY] as const;
const VERSION = "Sec-WebSocket-Version: 13";

/** Anything but 101. */
export const NEVER_UPGRADED: readonly Case[] = [
  ["COMP-UPGRADE-POST", post([...ASKED, VERSION])],
  ["COMP-UPGRADE-MISSING-CONN", get("Upgrade: websocket", KEY, VERSION)],
  ["COMP-UPGRADE-UNKNOWN", get("Connection: Upgrade", "Upgrade: totally-made-up/1.0")],
  ["COMP-UPGRADE-INVALID-VER", get(...ASKED, "Sec-WebSocket-Version: 99")],
  ["COMP-UPGRADE-HTTP10", request("GET / HTTP/1.0", [...ASKED, VERSION], "")],
];

/** Each has a test of its own. */
export const SEPARATE = {
  "COMP-OPTIONS-STAR": line("OPTIONS * HTTP/1.1"),
  "COMP-CONNECTION-CLOSE": get("Connection: close"),
  "COMP-HEAD-NO-BODY": line("HEAD / HTTP/1.1"),
  "COMP-405-ALLOW": line("DELETE / HTTP/1.1"),
  "COMP-DATE-HEADER": get(),
  "COMP-NO-CL-IN-204": line("OPTIONS / HTTP/1.1"),
  "COMP-NO-1XX-HTTP10": request(
    "POST / HTTP/1.0",
    ["Expect: 100-continue", "Content-Length: 5"],
    "hello",
  ),
} as const;
