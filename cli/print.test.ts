import { expect, test } from "@jest/globals";
import { table } from "./print.ts";

test("table(): columns line up under their heads", () => {
  expect(
    table(
      ["node", "pods"],
      [
        ["a-long-name", "3"],
        ["b", "12"],
      ],
    ),
  ).toBe("NODE         PODS\na-long-name  3\nb            12");
});
