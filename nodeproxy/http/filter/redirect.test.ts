import { expect, test } from "@jest/globals";
import type { RedirectFilter } from "../../../core/model/http-route.ts";
import type { RequestHead } from "../message.ts";
import { compileRedirect } from "./redirect.ts";

const HEAD: RequestHead = {
  method: "GET",
  scheme: "http",
  authority: "echo",
  path: "/foo/bar",
  query: "",
  fields: [],
  upgrade: "",
  version: "1.1",
};
const FILTER: RedirectFilter = {
  kind: "redirect",
  scheme: "",
  hostname: "",
  port: 0,
  path: undefined,
  status: 302,
};

interface Case {
  readonly filter?: Partial<RedirectFilter>;
  readonly head?: Partial<RequestHead>;
  /** Of the Service. */
  readonly port?: number;
  readonly prefix?: string;
}

function locationOf({ filter, head, port = 80, prefix = "/foo" }: Case): string {
  return compileRedirect({ ...FILTER, ...filter }, { prefix, port }).location({ ...HEAD, ...head });
}

const CASES: readonly (readonly [Case, string])[] = [
  [{ filter: { hostname: "example.org" } }, "http://example.org/foo/bar"],
  [{}, "http://echo/foo/bar"],
  [{ head: { query: "?a=b" } }, "http://echo/foo/bar?a=b"],
  // The port: of the filter, the scheme's, that of the Service; left out where it is the scheme's own.
  [{ filter: { port: 8083 } }, "http://echo:8083/foo/bar"],
  [{ filter: { port: 8083, hostname: "example.org" } }, "http://example.org:8083/foo/bar"],
  [{ port: 8080 }, "http://echo:8080/foo/bar"],
  [{ port: 8080, head: { authority: "echo:8080" } }, "http://echo:8080/foo/bar"],
  [{ port: 8080, filter: { hostname: "example.org" } }, "http://example.org:8080/foo/bar"],
  [{ port: 8080, filter: { port: 80 } }, "http://echo/foo/bar"],
  [{ port: 8080, filter: { scheme: "http" } }, "http://echo/foo/bar"],
  [{ port: 8080, filter: { scheme: "https" } }, "https://echo/foo/bar"],
  [{ port: 443 }, "http://echo:443/foo/bar"],
  [{ filter: { scheme: "https", port: 443 } }, "https://echo/foo/bar"],
  [{ filter: { scheme: "http", port: 443 } }, "http://echo:443/foo/bar"],
  [{ filter: { scheme: "https", port: 80 } }, "https://echo:80/foo/bar"],
  [{ head: { scheme: "https" }, port: 443 }, "https://echo/foo/bar"],
  [{ head: { scheme: "https" }, port: 80 }, "https://echo:80/foo/bar"],
  [{ head: { authority: "[::1]:80" } }, "http://[::1]/foo/bar"],
  [{ head: { authority: "[::1]" }, port: 81 }, "http://[::1]:81/foo/bar"],
  [{ filter: { path: { kind: "full", value: "/full" } } }, "http://echo/full"],
  [
    { filter: { path: { kind: "full", value: "/full" } }, head: { query: "?a" } },
    "http://echo/full?a",
  ],
  [{ filter: { path: { kind: "prefix", value: "/xyz" } } }, "http://echo/xyz/bar"],
  [{ filter: { path: { kind: "prefix", value: "/" } } }, "http://echo/bar"],
  // Not to another host, whatever the path is.
  [
    { filter: { path: { kind: "prefix", value: "/" } }, head: { path: "/foo//evil.example" } },
    "http://echo//evil.example",
  ],
  [
    {
      filter: { path: { kind: "prefix", value: "/" } },
      head: { path: "/foo//evil.example", authority: "", version: "1.0" },
    },
    "/evil.example",
  ],
  [{ head: { path: "*", method: "OPTIONS" } }, "http://echo/*"],
];

test.each(CASES)("compileRedirect(): %j goes to %s", (given, expected) => {
  expect(locationOf(given)).toBe(expected);
});
