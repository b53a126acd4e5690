import { expect, test } from "@jest/globals";
import { createDenialIds, isDenialId, nodeTag, tagOf } from "./denial-id.ts";

test("createDenialIds(): the form is stable, and the tag is the node's", () => {
  const next = createDenialIds("node-a");
  const ids = Array.from({ length: 1000 }, next);
  expect(ids.every((id) => /^66570f-[0-9a-hjkmnp-tv-z]{12}$/.test(id))).toBe(true);
  expect(ids.every(isDenialId)).toBe(true);
  expect(new Set(ids).size).toBe(1000);
  expect([tagOf(ids[0] ?? ""), nodeTag("node-a")]).toEqual(["66570f", "66570f"]);
});

test("createDenialIds(): every place of the random part takes every letter", () => {
  const next = createDenialIds("node-a");
  const ids = Array.from({ length: 2000 }, next);
  for (let place = 7; place < 19; place += 1) {
    expect(new Set(ids.map((id) => id[place])).size).toBe(32);
  }
});

test.each([
  "",
  "66570f",
  "66570f-0123456789a",
  "66570f-0123456789abc",
  "66570F-0123456789ab",
  "66570f-0123456789ai",
])("isDenialId(): %j is none", (text) => {
  expect(isDenialId(text)).toBe(false);
});
