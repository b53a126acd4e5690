import { expect, test } from "@jest/globals";
import { sortTrailers } from "./http1-fields.ts";
import { trailersOf } from "./http2-response.ts";
import { NEVER_TRAILERS } from "./never-trailers.ts";

const LINES = [...[...NEVER_TRAILERS].flatMap((name) => [name, "1"]), "x-sum", "7"];

test("NEVER_TRAILERS: what no trailer may be is dropped in HTTP/1 and in HTTP/2, and nothing else", () => {
  expect(NEVER_TRAILERS).toContain("authorization");
  expect(NEVER_TRAILERS).toContain("x-forwarded-client-cert");
  expect(sortTrailers(LINES)).toEqual(["x-sum", "7"]);
  expect(trailersOf(LINES, true)).toEqual(["x-sum", "7"]);
});
