import { expect, test } from "@jest/globals";
import type { HeaderChange } from "../../../core/model/http-route.ts";
import type { FieldLines } from "../message.ts";
import { compileHeaderChange } from "./modify-fields.ts";

function changed(change: Partial<HeaderChange>, fields: FieldLines): FieldLines {
  const all: HeaderChange = { kind: "requestHeaders", set: [], add: [], remove: [], ...change };
  return compileHeaderChange(all)(fields);
}

// The examples of Gateway API's HTTPHeaderFilter.
test("compileHeaderChange(): set overwrites", () => {
  expect(changed({ set: [["my-header", "bar"]] }, ["my-header", "foo"])).toEqual([
    "my-header",
    "bar",
  ]);
});

test("compileHeaderChange(): add appends to what is there", () => {
  const add = [["my-header", "bar,baz"]] as const;
  expect(changed({ add }, ["my-header", "foo"])).toEqual(["my-header", "foo,bar,baz"]);
  expect(changed({ add }, ["other", "foo"])).toEqual(["other", "foo", "my-header", "bar,baz"]);
});

test("compileHeaderChange(): remove removes each line of a name", () => {
  const fields = ["my-header1", "foo", "my-header2", "bar", "my-header3", "baz", "my-header1", "x"];
  expect(changed({ remove: ["my-header1", "My-Header3"] }, fields)).toEqual(["my-header2", "bar"]);
});

test("compileHeaderChange(): names are of any case, and of two that are equal the first counts", () => {
  const set = [
    ["X-Set", "a"],
    ["x-set", "b"],
  ] as const;
  expect(changed({ set }, ["x-set", "c", "x-set", "d"])).toEqual(["x-set", "a"]);
});

test("compileHeaderChange(): of several lines the last is added to", () => {
  expect(changed({ add: [["a", "3"]] }, ["a", "1", "a", "2", "b", "x"])).toEqual([
    "a",
    "1",
    "a",
    "2,3",
    "b",
    "x",
  ]);
});

test("compileHeaderChange(): what is added to a cookie is a crumb, and a Set-Cookie is a line of its own", () => {
  expect(changed({ add: [["cookie", "b=2"]] }, ["cookie", "a=1"])).toEqual(["cookie", "a=1; b=2"]);
  expect(changed({ add: [["Set-Cookie", "b=2"]] }, ["set-cookie", "a=1"])).toEqual([
    "set-cookie",
    "a=1",
    "set-cookie",
    "b=2",
  ]);
});

test("compileHeaderChange(): what frames a message stays, and what would end a line does not come in", () => {
  const fields = ["content-length", "3", "te", "trailers"];
  const change = {
    set: [
      ["Content-Length", "4"],
      ["transfer-encoding", "chunked"],
      ["x-a", "b\r\nx-c: d"],
      ["x e", "f"],
    ],
    add: [["te", "gzip"]],
    remove: ["content-length", "te"],
  } as const;
  expect(changed(change, fields)).toEqual(fields);
});
