/**
 * Attack group D and its kin: whatever two readers could take for two different requests is refused, with a code that
 * stays, and nothing of it reaches the pod; what has one reading reaches it once, in words of ours.
 */
import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { callRaw, Http1Proxy, RawPod } from "../../test/fakes/http1-proxy.ts";

/** Behind each: would a reader take it for a request, the pod would get it. */
const SECOND = "GET /second HTTP/1.1\r\nHost: a\r\n\r\n";
const HOST = "Host: a\r\n";

let pod: RawPod;
let proxy: Http1Proxy;

beforeEach(async () => {
  // Answers each head that it sees, wherever it sees one.
  pod = await new RawPod((peer) => {
    peer.socket.on("data", () => peer.write("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"));
  }).start();
  proxy = await new Http1Proxy(pod.port, {}).start();
});

afterEach(async () => {
  await proxy.close();
  await pod.close();
});

function post(lines: string, body = "0\r\n\r\n"): string {
  return `POST /first HTTP/1.1\r\n${HOST}${lines}\r\n${body}`;
}

function get(line: string, lines = HOST): string {
  return `${line}\r\n${lines}\r\n`;
}

const CHUNKED = "Transfer-Encoding: chunked\r\n";
const REFUSED: readonly (readonly [string, string, number, string])[] = [
  ["CL.TE", post(`Content-Length: 4\r\n${CHUNKED}`), 400, "content_length_with_transfer_encoding"],
  ["TE.CL", post(`${CHUNKED}Content-Length: 4\r\n`), 400, "content_length_with_transfer_encoding"],
  ["TE.TE, two lines", post(`${CHUNKED}${CHUNKED}`), 400, "transfer_encoding_invalid"],
  [
    "TE.TE, identity behind",
    post("Transfer-Encoding: chunked, identity\r\n"),
    400,
    "transfer_encoding_invalid",
  ],
  [
    "TE.TE, identity before",
    post("Transfer-Encoding: identity, chunked\r\n"),
    400,
    "transfer_encoding_invalid",
  ],
  [
    "TE of two lines, identity first",
    post(`Transfer-Encoding: identity\r\n${CHUNKED}`),
    400,
    "transfer_encoding_invalid",
  ],
  [
    "TE chunked twice",
    post("Transfer-Encoding: chunked, chunked\r\n"),
    400,
    "transfer_encoding_invalid",
  ],
  ["TE with a vertical tab", post("Transfer-Encoding: \x0bchunked\r\n"), 400, "field_invalid"],
  ["TE in quotes", post('Transfer-Encoding: "chunked"\r\n'), 400, "transfer_encoding_invalid"],
  [
    "TE with a parameter",
    post("Transfer-Encoding: chunked;q=1\r\n"),
    400,
    "transfer_encoding_invalid",
  ],
  ["TE that is another", post("Transfer-Encoding: gzip\r\n"), 501, "transfer_encoding_unknown"],
  ["TE almost chunked", post("Transfer-Encoding: xchunked\r\n"), 501, "transfer_encoding_unknown"],
  ["TE empty", post("Transfer-Encoding:\r\n"), 400, "transfer_encoding_invalid"],
  [
    "TE with a space before its colon",
    post("Transfer-Encoding : chunked\r\n"),
    400,
    "field_invalid",
  ],
  [
    "TE in HTTP/1.0",
    `POST / HTTP/1.0\r\n${HOST}${CHUNKED}\r\n0\r\n\r\n`,
    400,
    "transfer_encoding_invalid",
  ],
  [
    "two CL, the same",
    post("Content-Length: 0\r\nContent-Length: 0\r\n", ""),
    400,
    "content_length_duplicate",
  ],
  [
    "two CL",
    post("Content-Length: 0\r\nContent-Length: 33\r\n", ""),
    400,
    "content_length_duplicate",
  ],
  ["CL as a list", post("Content-Length: 0, 0\r\n", ""), 400, "content_length_invalid"],
  ["CL with a sign", post("Content-Length: +5\r\n"), 400, "content_length_invalid"],
  ["CL below 0", post("Content-Length: -5\r\n"), 400, "content_length_invalid"],
  ["CL in hexadecimal", post("Content-Length: 0x5\r\n"), 400, "content_length_invalid"],
  ["CL in two words", post("Content-Length: 5 5\r\n"), 400, "content_length_invalid"],
  ["CL empty", post("Content-Length:\r\n"), 400, "content_length_invalid"],
  ["CL with a point", post("Content-Length: 5.0\r\n"), 400, "content_length_invalid"],
  [
    "CL beyond 2^64",
    post("Content-Length: 18446744073709551621\r\n"),
    400,
    "content_length_invalid",
  ],
  [
    "CL beyond what is counted",
    post("Content-Length: 9007199254740993\r\n"),
    400,
    "content_length_invalid",
  ],
  ["CL with a space before its colon", post("Content-Length : 5\r\n"), 400, "field_invalid"],
  ["a folded line", get("GET / HTTP/1.1", `${HOST}X: a\r\n b\r\n`), 400, "field_folded"],
  ["a folded CL", post("Content-Length:\r\n 5\r\n"), 400, "field_invalid"],
  ["a first line that begins with a space", get("GET / HTTP/1.1", ` ${HOST}`), 400, "field_folded"],
  ["a bare LF behind the request line", `GET / HTTP/1.1\n${HOST}\r\n`, 400, "request_malformed"],
  ["a bare LF behind a field", `GET / HTTP/1.1\r\nHost: a\nX: b\r\n\r\n`, 400, "line_end_invalid"],
  ["a bare LF at the end", `GET / HTTP/1.1\r\n${HOST}\n`, 400, "field_invalid"],
  ["a bare LF before all", `\nGET / HTTP/1.1\r\n${HOST}\r\n`, 400, "line_end_invalid"],
  ["a bare CR before all", `\rGET / HTTP/1.1\r\n${HOST}\r\n`, 400, "line_end_invalid"],
  ["a bare CR in a field", get("GET / HTTP/1.1", `${HOST}X: a\rb\r\n`), 400, "line_end_invalid"],
  ["CR and no LF at the end", `GET / HTTP/1.1\r\n${HOST}\rX`, 400, "line_end_invalid"],
  [
    "many empty lines before all",
    `${"\r\n".repeat(20)}GET / HTTP/1.1\r\n${HOST}\r\n`,
    400,
    "line_end_invalid",
  ],
  ["NUL in a value", get("GET / HTTP/1.1", `${HOST}X: a\0b\r\n`), 400, "field_invalid"],
  ["NUL in a name", get("GET / HTTP/1.1", `${HOST}X\0: b\r\n`), 400, "field_invalid"],
  ["DEL in a value", get("GET / HTTP/1.1", `${HOST}X: a\x7f\r\n`), 400, "field_invalid"],
  ["NUL in the target", get("GET /\0 HTTP/1.1"), 400, "target_invalid"],
  ["a space before a colon", get("GET / HTTP/1.1", "Host : a\r\n"), 400, "field_invalid"],
  ["a line without colon", get("GET / HTTP/1.1", `${HOST}X\r\n`), 400, "field_invalid"],
  ["a line without name", get("GET / HTTP/1.1", `${HOST}: x\r\n`), 400, "field_invalid"],
  ["two Hosts", get("GET / HTTP/1.1", `${HOST}Host: b\r\n`), 400, "host_duplicate"],
  ["two Hosts, the same", get("GET / HTTP/1.1", `${HOST}${HOST}`), 400, "host_duplicate"],
  ["no Host", get("GET / HTTP/1.1", ""), 400, "host_missing"],
  ["an empty Host", get("GET / HTTP/1.1", "Host:\r\n"), 400, "host_invalid"],
  ["a Host with a path", get("GET / HTTP/1.1", "Host: a/b\r\n"), 400, "host_invalid"],
  ["a Host that is a list", get("GET / HTTP/1.1", "Host: a, b\r\n"), 400, "host_invalid"],
  ["a Host with a space", get("GET / HTTP/1.1", "Host: a b\r\n"), 400, "host_invalid"],
  ["a Host with port 0", get("GET / HTTP/1.1", "Host: a:0\r\n"), 400, "host_invalid"],
  ["a Host with port 65536", get("GET / HTTP/1.1", "Host: a:65536\r\n"), 400, "host_invalid"],
  ["a Host that is a port", get("GET / HTTP/1.1", "Host: :80\r\n"), 400, "host_invalid"],
  ["a Host with userinfo", get("GET / HTTP/1.1", "Host: u@a\r\n"), 400, "authority_userinfo"],
  ["a target with userinfo", get("GET http://u@a/ HTTP/1.1"), 400, "authority_userinfo"],
  ["a target of another host", get("GET http://b/ HTTP/1.1"), 400, "authority_differs_from_host"],
  ["a target without host", get("GET http:///x HTTP/1.1"), 400, "host_invalid"],
  ["a target of another scheme", get("GET https://a/ HTTP/1.1"), 400, "target_invalid"],
  ["a target with a fragment", get("GET /a#b HTTP/1.1"), 400, "target_fragment"],
  ["a target that is not ASCII", get("GET /\xe9 HTTP/1.1"), 400, "target_invalid"],
  ["a target with a space", get("GET /a b HTTP/1.1"), 400, "request_malformed"],
  ["a target with a tab", get("GET /a\tb HTTP/1.1"), 400, "target_invalid"],
  ["a target without slash", get("GET a HTTP/1.1"), 400, "target_invalid"],
  ["an asterisk for GET", get("GET * HTTP/1.1"), 400, "target_invalid"],
  ["CONNECT", get("CONNECT a:80 HTTP/1.1"), 405, "http_connect_refused"],
  ["a method that nobody knows", get("FROB / HTTP/1.1"), 501, "method_unknown"],
  ["a method in lower case", get("get / HTTP/1.1"), 501, "method_unknown"],
  ["HTTP/0.9", "GET /\r\n\r\n", 505, "version_unsupported"],
  ["HTTP/1.2", get("GET / HTTP/1.2"), 505, "version_unsupported"],
  ["HTTP/2.0", get("GET / HTTP/2.0"), 505, "version_unsupported"],
  ["HTTP/3.7", get("GET / HTTP/3.7"), 505, "version_unsupported"],
  ["http in lower case", get("GET / http/1.1"), 400, "request_malformed"],
  ["the preface of HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400, "http2_preface"],
  ["TLS", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc", 400, "request_malformed"],
  [
    "another expectation",
    post("Content-Length: 0\r\nExpect: 200-ok\r\n", ""),
    417,
    "expectation_unknown",
  ],
  [
    "Connection names Host",
    get("GET / HTTP/1.1", `${HOST}Connection: host\r\n`),
    400,
    "connection_option",
  ],
  [
    "Connection names Authorization",
    get("GET / HTTP/1.1", `${HOST}Connection: close, Authorization\r\n`),
    400,
    "connection_option",
  ],
  [
    "Connection names Content-Length",
    post("Content-Length: 5\r\nConnection: content-length\r\n"),
    400,
    "connection_option",
  ],
  [
    "a head of 64 KiB",
    get("GET / HTTP/1.1", `${HOST}X: ${"a".repeat(66_000)}\r\n`),
    431,
    "head_too_large",
  ],
  ["a target of 64 KiB", get(`GET /${"a".repeat(66_000)} HTTP/1.1`), 431, "head_too_large"],
  ["101 lines", get("GET / HTTP/1.1", `${HOST}${"X: a\r\n".repeat(100)}`), 431, "fields_too_many"],
];

test.each(REFUSED)("serveHttp1(): %s is refused", async (...[, text, status, reason]) => {
  const client = await callRaw(proxy.port);
  client.write(text + SECOND);
  const said = await client.untilEnd();
  client.socket.destroy();
  expect(/^HTTP\/1.1 (\d+) /.exec(said)?.[1]).toBe(String(status));
  expect(said).toContain(`\r\nx-weft-reason: ${reason}\r\n`);
  expect(said).toContain("\r\nconnection: close\r\n");
  // One answer, and the end.
  expect(said.match(/HTTP\/1.1 /g)).toHaveLength(1);
  expect([proxy.refused, proxy.refusedWith]).toEqual([[reason], [status]]);
  expect([proxy.dials, pod.received]).toEqual([0, ""]);
});

const MALFORMED_BODIES: readonly (readonly [string, string])[] = [
  ["a size that overflows", "FFFFFFFFFFFFFFFFF\r\n"],
  ["a size below 0", "-1\r\n"],
  ["a size with a sign", "+1\r\na\r\n"],
  ["a size with 0x", "0x1\r\na\r\n"],
  ["a size with a space", "1 \r\na\r\n"],
  ["no size", "\r\n"],
  ["a bare LF behind the size", "1\na\r\n0\r\n\r\n"],
  ["a bare CR behind the size", "1\ra\r\n0\r\n\r\n"],
  ["a bare LF behind the data", "1\r\na\n0\r\n\r\n"],
  ["data that is longer than said", "1\r\nab\r\n0\r\n\r\n"],
  ["a bare LF in an extension", "1;x\na\r\n0\r\n\r\n"],
  ["a line end within a quoted extension", '1;x="\r\n"\r\na\r\n0\r\n\r\n'],
  ["an extension of 20 kB", `1;${"x".repeat(20_000)}\r\na\r\n0\r\n\r\n`],
  ["a bare LF at the end", "0\r\n\n"],
  ["a folded trailer", "0\r\nX: a\r\n b\r\n\r\n"],
  ["a length among the trailers", "0\r\nContent-Length: 5\r\n\r\n"],
  ["a coding among the trailers", "0\r\nTransfer-Encoding: chunked\r\n\r\n"],
  ["200 trailers", `0\r\n${"X: a\r\n".repeat(200)}\r\n`],
];

test.each(MALFORMED_BODIES)(
  "serveHttp1(): a chunked body with %s is refused, and never whole for the pod",
  async (_, body) => {
    const client = await callRaw(proxy.port);
    client.write(post(CHUNKED, body) + SECOND);
    const said = await client.untilEnd();
    client.socket.destroy();
    await proxy.until(() => proxy.outcomes.length === 1);
    expect(said.match(/HTTP\/1.1 /g)?.length ?? 0).toBeLessThanOrEqual(1);
    expect(proxy.outcomes[0]?.code).toBe("body_malformed");
    expect(proxy.asked.map(({ path }) => path)).toEqual(["/first"]);
    expect(pod.received).not.toContain("/second");
    expect(pod.received.endsWith("0\r\n\r\n")).toBe(false);
  },
);

const ONE_READING: readonly (readonly [string, string, string])[] = [
  [
    "Chunked",
    post("Transfer-Encoding: CHUNKED \r\n"),
    "transfer-encoding: chunked\r\n\r\n0\r\n\r\n",
  ],
  ["CL with zeros", post("Content-Length: 0005\r\n"), "content-length: 5\r\n\r\n0\r\n\r\n"],
  [
    "a chunk with an extension",
    post(CHUNKED, '1;a="b;c"\r\nx\r\n0;d\r\n\r\n'),
    "chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n",
  ],
  [
    "a size with zeros",
    post(CHUNKED, "0001\r\nx\r\n000\r\n\r\n"),
    "chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n",
  ],
  [
    "an empty line before all",
    `\r\n${post("Content-Length: 1\r\n", "x")}`,
    "content-length: 1\r\n\r\nx",
  ],
  [
    "a body of GET",
    get("GET /first HTTP/1.1", `${HOST}Content-Length: 1\r\n`) + "x",
    "content-length: 1\r\n\r\nx",
  ],
  [
    "a request within the body",
    post(`Content-Length: ${SECOND.length}\r\n`, SECOND.replace("second", "inside")),
    "/inside HTTP/1.1\r\nHost: a\r\n\r\n",
  ],
];

test.each(ONE_READING)(
  "serveHttp1(): %s has one reading, and reaches the pod in words of ours",
  async (_, text, expected) => {
    const client = await callRaw(proxy.port);
    client.write(text);
    await client.until(/200 OK/);
    const back = await pod.connection(0);
    const first = back.received;
    expect(first.endsWith(expected)).toBe(true);
    client.write(SECOND);
    await client.until(/200 OK[^]*200 OK/);
    client.socket.destroy();
    // The same two for the pod as for the gate.
    expect(proxy.asked.map(({ path }) => path)).toEqual(["/first", "/second"]);
    expect(back.received).toBe(`${first}GET /second HTTP/1.1\r\nhost: a\r\n\r\n`);
  },
);
