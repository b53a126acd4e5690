import { expect, test } from "@jest/globals";
import fc from "fast-check";
import { normalisePath } from "./normalise-path.ts";

function read(path: string): string {
  const normalised = normalisePath(path);
  return normalised.kind === "path" ? normalised.path : normalised.reason;
}

const SAME = [
  "/",
  "/admin",
  "/Admin",
  "/admin/",
  "/.well-known/x",
  "/...",
  "/.../admin",
  "/a..b/..c",
  "/a@b:c,d=e!$&'()*+~",
  "/a%20b",
  "/%C3%A4",
  "/%E2%82%AC/%F0%9F%92%A9",
  "/100%25",
  "/100%25zz",
  "/a%22%3C%3E%5B%5D%5E%60%7B%7C%7D%3F%23",
];

test.each(SAME)("normalisePath(): %s stays as it is", (path) => {
  expect(read(path)).toBe(path);
});

const REPAIRED: readonly (readonly [string, string])[] = [
  ["", "/"],
  ["//admin", "/admin"],
  ["///admin", "/admin"],
  ["/x//../admin", "/admin"],
  ["/app/../admin", "/admin"],
  ["/app/%2E./admin", "/admin"],
  ["/app/%2e%2E/admin", "/admin"],
  ["/../../admin", "/admin"],
  ["/./admin/.", "/admin/"],
  ["/admin/x/..", "/admin/"],
  ["/..", "/"],
  ["\\admin", "/admin"],
  ["/app/\\/\\/\\admin", "/app/admin"],
  ["/app\\..\\admin", "/admin"],
  ["/%61dm%69n", "/admin"],
  ["/%7euser", "/~user"],
  ["/a%40b%3Ac%2bd", "/a@b:c+d"],
  ["/%c3%a4", "/%C3%A4"],
  ["/a[1]", "/a%5B1%5D"],
  ['/"<>^`{|}', "/%22%3C%3E%5E%60%7B%7C%7D"],
];

test.each(REPAIRED)("normalisePath(): %s becomes %s", (path, expected) => {
  expect(read(path)).toBe(expected);
});

const REFUSED: readonly (readonly [string, string])[] = [
  ["/%2Fadmin", "path_encoded_slash"],
  ["/a%2fb", "path_encoded_slash"],
  ["/a%5Cb", "path_encoded_slash"],
  ["/..%2fadmin", "path_encoded_slash"],
  ["/%2e%2e%5cadmin", "path_encoded_slash"],
  ["/admin%00", "path_control"],
  ["/admin%0a", "path_control"],
  ["/admin%7F", "path_control"],
  ["/ad min", "path_control"],
  ["/admin\t", "path_control"],
  ["/admin\r\nX: y", "path_control"],
  ["/admin#x", "path_fragment"],
  ["/admin?x", "path_not_absolute"],
  ["admin", "path_not_absolute"],
  ["*", "path_not_absolute"],
  ["http://other/admin", "path_not_absolute"],
  ["%2e/admin", "path_not_absolute"],
  ["/admin;a=b", "path_parameters"],
  ["/;/admin", "path_parameters"],
  ["/..;/admin", "path_parameters"],
  ["/.;/admin", "path_parameters"],
  ["/admin;/x", "path_parameters"],
  ["/admin%3Ba", "path_parameters"],
  ["/%252e%252e%252fadmin", "path_double_encoded"],
  ["/a%2525", "path_double_encoded"],
  ["/%2561dmin", "path_double_encoded"],
  ["/%25c0%25ae", "path_double_encoded"],
  ["/%25%61a", "path_double_encoded"],
  ["/%c0%ae%c0%ae/admin", "path_not_utf8"],
  ["/%c1%9cadmin", "path_not_utf8"],
  ["/%e0%80%af", "path_not_utf8"],
  ["/%f0%80%80%af", "path_not_utf8"],
  ["/%ed%a0%80", "path_not_utf8"],
  ["/%f4%90%80%80", "path_not_utf8"],
  ["/%ff", "path_not_utf8"],
  ["/%c3", "path_not_utf8"],
  ["/%c3/%a4", "path_not_utf8"],
  ["/%u002e%u002e/admin", "path_malformed_percent"],
  ["/100%", "path_malformed_percent"],
  ["/%4", "path_malformed_percent"],
  ["/%zz", "path_malformed_percent"],
  ["/\u00e4", "path_not_ascii"],
  ["/\u2215admin", "path_not_ascii"],
];

test.each(REFUSED)("normalisePath(): %j is refused as %s", (path, expected) => {
  expect(read(path)).toBe(expected);
});

test("normalisePath(): a path of 64 KiB is read as any other", () => {
  const long = `/${"a/../".repeat(13_000)}admin`;
  expect(read(long)).toBe("/admin");
});

test("normalisePath(): each byte behind a path is part of it or refused, and never lost", () => {
  for (let byte = 0; byte < 256; byte += 1) {
    const suffix = `%${byte.toString(16).padStart(2, "0")}`;
    expect(read(`/admin${suffix}`)).not.toBe("/admin");
  }
});

/** Made of what servers disagree about. */
const piece = fc.constantFrom(
  ...Array.from("/\\.;%ab~!+ []{}?#\u00e4\0"),
  ..."%2e %2E %2f %5c %61 %25 %252e %00 %0a %3b %c0%ae %c3%a4 %ff admin .. // /./ ;x=y".split(" "),
);
const anyPath = fc.array(piece, { maxLength: 12 }).map((pieces) => `/${pieces.join("")}`);

function segmentsOf(path: string): readonly string[] {
  const kept: string[] = [];
  for (const segment of path.split(/\/+/)) {
    if (segment === "..") kept.pop();
    else if (segment !== "." && segment !== "") kept.push(segment);
  }
  return kept;
}

function stripParameters(path: string): string {
  return path.replaceAll(/;[^/]*/g, "");
}

/** What servers of each kind take the path for. */
const SERVERS: readonly ((path: string) => readonly string[])[] = [
  (path) => path.split("/").slice(1, path.endsWith("/") ? -1 : undefined),
  segmentsOf,
  (path) => segmentsOf(decodeURIComponent(path)),
  (path) => segmentsOf(decodeOnce(decodeURIComponent(path))),
  (path) => segmentsOf(stripParameters(path)),
  (path) => segmentsOf(stripParameters(decodeURIComponent(path))),
  (path) => segmentsOf(decodeURIComponent(stripParameters(path)).replaceAll("\\", "/")),
];

test("normalisePath(): twice is once, whatever is sent", () => {
  const property = fc.property(anyPath, (path) => {
    const once = normalisePath(path);
    return once.kind === "refused" || read(once.path) === once.path;
  });
  expect(fc.check(property, { numRuns: 20_000 })).toMatchObject({ failed: false });
});

test("normalisePath(): servers of every kind see the segments that policy saw", () => {
  fc.assert(
    fc.property(anyPath, (path) => {
      const normalised = normalisePath(path);
      if (normalised.kind === "refused") return;
      const seen = segmentsOf(normalised.path).map(decodeURIComponent);
      for (const server of SERVERS) {
        expect(server(normalised.path).map(decodeOnce)).toEqual(seen.map(decodeOnce));
      }
    }),
    { numRuns: 20_000 },
  );
});

test("normalisePath(): no server takes two different paths in that form for the same one", () => {
  fc.assert(
    fc.property(anyPath, anyPath, (a, b) => {
      const [one, other] = [normalisePath(a), normalisePath(b)];
      if (one.kind === "refused" || other.kind === "refused" || one.path === other.path) return;
      expect(decodeURIComponent(one.path)).not.toBe(decodeURIComponent(other.path));
    }),
    { numRuns: 20_000 },
  );
});

/** What was decoded already may hold a percent that begins nothing. */
function decodeOnce(text: string): string {
  return text.replaceAll(/(?:%[0-9A-Fa-f]{2})+/g, (run) => decodeURIComponent(run));
}
