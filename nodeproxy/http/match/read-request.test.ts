import { expect, test } from "@jest/globals";
import fc from "fast-check";
import type { RequestHead } from "../message.ts";
import { type RequestEnds, readRequest } from "./read-request.ts";

const OWN = "spiffe://cluster.local/ns/shop/sa/api";
const CALLER = "spiffe://cluster.local/ns/shop/sa/web";
const ENDS: RequestEnds = { sourceIp: [10, 0, 0, 7], caller: CALLER, own: OWN, trustedProxies: 0 };
const GET: RequestHead = {
  method: "GET",
  scheme: "http",
  authority: "api.shop",
  path: "/orders",
  query: "?id=1",
  fields: ["accept", "*/*"],
  upgrade: "",
  version: "1.1",
};

function accepted(head: Partial<RequestHead>, ends: Partial<RequestEnds> = {}) {
  const read = readRequest({ ...GET, ...head }, { ...ENDS, ...ends });
  if (read.kind === "refused") throw new Error(`refused: ${read.reason}`);
  return read;
}

function reasonOf(head: Partial<RequestHead>): string {
  const read = readRequest({ ...GET, ...head }, ENDS);
  return read.kind === "refused" ? read.reason : "accepted";
}

test("readRequest(): policy sees the path that is forwarded, and the query goes on as it came", () => {
  const { head, http } = accepted({ path: "//x/../%61dmin", query: "?a=%2f;b" });
  expect(http.path).toBe("/admin");
  expect(head).toMatchObject({ path: "/admin", query: "?a=%2f;b", method: "GET" });
});

test("readRequest(): the asterisk is a path of OPTIONS alone", () => {
  expect(accepted({ method: "OPTIONS", path: "*", query: "" }).http.path).toBe("*");
  expect(reasonOf({ path: "*" })).toBe("path_not_absolute");
});

test.each([
  [{ method: "get" }, "method_malformed"],
  [{ method: "CONNECT" }, "method_malformed"],
  [{ method: "A".repeat(65) }, "method_malformed"],
  [{ method: "GE T" }, "method_malformed"],
  [{ method: "" }, "method_malformed"],
  [{ path: "/a%2fb" }, "path_encoded_slash"],
  [{ query: "?a#b" }, "query_malformed"],
  [{ query: "?a b" }, "query_malformed"],
  [{ query: "?\u00e4" }, "query_malformed"],
  [{ scheme: "file" }, "scheme_unknown"],
  [{ scheme: "HTTP" }, "scheme_unknown"],
  [{ scheme: "" }, "scheme_unknown"],
  [{ authority: "" }, "host_missing"],
  [{ authority: "", version: "2" }, "host_missing"],
  [{ authority: "user@api.shop" }, "host_malformed"],
  [{ authority: "api.shop:" }, "host_malformed"],
  [{ authority: "api.shop:0" }, "host_malformed"],
  [{ authority: "api.shop:080" }, "host_malformed"],
  [{ authority: "api.shop:65536" }, "host_malformed"],
  [{ authority: "api.shop:80:80" }, "host_malformed"],
  [{ authority: "api.shop/x" }, "host_malformed"],
  [{ authority: "api%2eshop" }, "host_malformed"],
  [{ authority: "api..shop" }, "host_malformed"],
  [{ authority: ".shop" }, "host_malformed"],
  [{ authority: "[::1" }, "host_malformed"],
  [{ authority: "[10.0.0.1]" }, "host_malformed"],
  [{ authority: "[fe80::1%eth0]" }, "host_malformed"],
  [{ authority: "::1" }, "host_malformed"],
  [{ fields: ["host", "other"] }, "host_differs"],
  [{ fields: ["host", "api.shop", "host", "other"] }, "host_differs"],
  [{ fields: ["x y", "z"] }, "field_malformed"],
  [{ fields: ["X-Role", "z"] }, "field_malformed"],
  [{ fields: ["x:y", "z"] }, "field_malformed"],
  [{ fields: ["", "z"] }, "field_malformed"],
  [{ fields: ["x-role", "a\r\nb: c"] }, "field_malformed"],
  [{ fields: ["x-role", "a\nb"] }, "field_malformed"],
  [{ fields: ["x-role", "a\0"] }, "field_malformed"],
  [{ fields: ["content_length", "3"] }, "field_name_confusing"],
  [{ fields: ["transfer_encoding", "chunked"] }, "field_name_confusing"],
  [{ fields: ["transfer.encoding", "chunked"] }, "field_name_confusing"],
] as const)("readRequest(): %j is refused as %s", (head, reason) => {
  expect(reasonOf(head as Partial<RequestHead>)).toBe(reason);
});

test.each(["api.shop", "API.Shop:8080", "api.shop.", "10.0.0.1:80", "[2001:db8::1]", "[::1]:80"])(
  "readRequest(): %s is a host",
  (authority) => {
    expect(accepted({ authority }).http.host).toBe(authority);
  },
);

test("readRequest(): a request of HTTP/1.0 may name no host", () => {
  expect(accepted({ authority: "", version: "1.0" }).http.host).toBe("");
});

test("readRequest(): a WebSocket over HTTP/2 is a GET for policy, and goes on as it came", () => {
  const { head, http } = accepted({ method: "CONNECT", upgrade: "websocket", version: "2" });
  expect(http.method).toBe("GET");
  expect(head).toMatchObject({ method: "CONNECT", upgrade: "websocket" });
});

test("readRequest(): headers that servers confuse are one for policy, and both go on", () => {
  const fields = ["x-role", "user", "x_role", "admin", "__proto__", "p", "constructor", "c"];
  const { head, http } = accepted({ fields });
  expect(http.headers.get("x-role")).toEqual(["user", "admin"]);
  expect(http.headers.get("x_role")).toEqual(["user", "admin"]);
  expect(http.headers.get("__proto__")).toEqual(["p"]);
  expect(http.headers.get("constructor")).toEqual(["c"]);
  expect(http.headers.get("hasownproperty")).toBeUndefined();
  expect(head.fields).toEqual(expect.arrayContaining(fields));
});

test("readRequest(): the crumbs of a cookie of HTTP/2 are one line", () => {
  const fields = ["cookie", "a=1", "cookie", "b=2"];
  expect(accepted({ fields, version: "2" }).http.headers.get("cookie")).toEqual(["a=1; b=2"]);
  expect(accepted({ fields }).http.headers.get("cookie")).toEqual(["a=1", "b=2"]);
});

test("readRequest(): the host is a header too, and of the head only the authority", () => {
  const { head, http } = accepted({ fields: ["host", "api.shop"] });
  expect(http.headers.get("host")).toEqual(["api.shop"]);
  expect(head.fields).not.toContain("host");
});

const SPOOFED = [
  ["x-weft-peer", "x"],
  ["x_weft-peer", "x"],
  ["x-forwarded-client-cert", "URI=spiffe://cluster.local/ns/shop/sa/admin"],
  ["x_forwarded_client_cert", "URI=spiffe://cluster.local/ns/shop/sa/admin"],
  ["x-envoy-original-path", "/public"],
  ["x-envoy-internal", "true"],
].flat();

test("readRequest(): nobody says of himself what proxies say", () => {
  const { head, http } = accepted({ fields: SPOOFED });
  const certificate = `By=${OWN};URI=${CALLER}`;
  expect(head.fields).toEqual([
    "x-forwarded-proto",
    "http",
    "x-forwarded-client-cert",
    certificate,
  ]);
  expect(http.headers.get("x-weft-peer")).toBeUndefined();
  const { head: plaintext } = accepted({ fields: SPOOFED }, { caller: "" });
  expect(plaintext.fields).toEqual(["x-forwarded-proto", "http"]);
});

test("readRequest(): behind a trusted proxy what it says stays, but for the mesh's own words", () => {
  const fields = ["x-forwarded-client-cert", "Hash=1", "x-envoy-internal", "true", "x-weft-a", "b"];
  const { head } = accepted({ fields }, { trustedProxies: 1 });
  expect(head.fields).toEqual([
    "x-envoy-internal",
    "true",
    "x-forwarded-proto",
    "http",
    "x-forwarded-client-cert",
    `Hash=1,By=${OWN};URI=${CALLER}`,
  ]);
});

test("readRequest(): X-Forwarded-For and what is said of the protocol go on as they came", () => {
  const fields = ["x-forwarded-for", "1.2.3.4, 5.6.7.8", "x-forwarded-proto", "https"];
  expect(accepted({ fields }, { caller: "" }).head.fields).toEqual(fields);
});

test.each([
  [0, ["1.2.3.4"], [10, 0, 0, 7]],
  [1, ["1.2.3.4"], [1, 2, 3, 4]],
  [1, ["1.2.3.4, 5.6.7.8"], [5, 6, 7, 8]],
  [2, ["9.9.9.9,1.2.3.4", "5.6.7.8"], [1, 2, 3, 4]],
  [2, ["5.6.7.8"], [10, 0, 0, 7]],
  [1, [], [10, 0, 0, 7]],
  [1, ["::ffff:1.2.3.4"], [1, 2, 3, 4]],
  [1, ["fe80::1%eth0"], [10, 0, 0, 7]],
  [1, ["unknown"], [10, 0, 0, 7]],
  [1, ["1.2.3.4,"], [10, 0, 0, 7]],
] as const)(
  "readRequest(): with %i trusted proxies %j comes from %j",
  (proxies, lines, address) => {
    const fields = lines.flatMap((line) => ["x-forwarded-for", line]);
    expect(accepted({ fields }, { trustedProxies: proxies }).remoteIp).toEqual(address);
  },
);

test("readRequest(): what is accepted is accepted again and stays as it is", () => {
  const text = fc.string({
    unit: fc.constantFrom(...Array.from("abAB_-.:/%\\;?#@[]019 \r\n\0\u00e4")),
  });
  const request = fc.record({
    method: fc.constantFrom("GET", "OPTIONS", "get", "CONNECT"),
    authority: fc.oneof(fc.constant("api.shop"), text),
    path: text.map((rest) => `/${rest}`),
    query: fc.oneof(fc.constant(""), text),
    fields: fc.array(fc.tuple(fc.constantFrom("x-a", "x_a", "x-weft-b", "host"), text)),
  });
  fc.assert(
    fc.property(request, ({ fields, ...rest }) => {
      const read = readRequest({ ...GET, ...rest, fields: fields.flat() }, ENDS);
      if (read.kind === "refused") return;
      const again = accepted(read.head);
      expect(again.head).toEqual(read.head);
      expect(again.http.path).toBe(read.http.path);
    }),
    { numRuns: 5_000 },
  );
});
