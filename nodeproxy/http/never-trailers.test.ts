import type { Http2Stream } from "node:http2";
import { PassThrough } from "node:stream";
import { expect, test } from "@jest/globals";
import { sortTrailers } from "./http1-fields.ts";
import { Trailers } from "./http2-body.ts";
import { NEVER_TRAILERS } from "./never-trailers.ts";

const LINES = [...[...NEVER_TRAILERS].flatMap((name) => [name, "1"]), "x-sum", "7"];

test("NEVER_TRAILERS: what no trailer may be is dropped in HTTP/1 and in HTTP/2, and nothing else", () => {
  expect(NEVER_TRAILERS).toContain("authorization");
  expect(NEVER_TRAILERS).toContain("x-forwarded-client-cert");
  expect(sortTrailers(LINES)).toEqual(["x-sum", "7"]);
  const trailers = new Trailers(new PassThrough() as unknown as Http2Stream);
  trailers.replace(LINES);
  expect({ ...trailers.toSend(true) }).toEqual({ "x-sum": ["7"] });
});
