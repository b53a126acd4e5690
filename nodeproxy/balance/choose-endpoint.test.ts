import { expect, test } from "@jest/globals";
import fc from "fast-check";
import { chooseEndpoint } from "./choose-endpoint.ts";

function never(): number {
  throw new Error("only least connections asks");
}

test("chooseEndpoint(): round robin gives every endpoint its turn", () => {
  const chosen = Array.from({ length: 9 }, (_, turn) =>
    chooseEndpoint("round_robin", 3, { turn, random: 0.99, openAt: never }),
  );
  expect(chosen).toEqual([0, 1, 2, 0, 1, 2, 0, 1, 2]);
});

test("chooseEndpoint(): random covers all, by the chance it is given", () => {
  const chosen = [0, 0.3, 0.5, 0.999].map((random) =>
    chooseEndpoint("random", 3, { turn: 0, random, openAt: never }),
  );
  expect(chosen).toEqual([0, 0, 1, 2]);
});

test("chooseEndpoint(): least connections takes the emptiest, wherever it starts to look", () => {
  const open = [4, 2, 7, 3];
  for (const random of [0, 0.3, 0.6, 0.9]) {
    const index = chooseEndpoint("least_connections", 4, {
      turn: 0,
      random,
      openAt: (at) => open[at] ?? 0,
    });
    expect(index).toBe(1);
  }
});

test("chooseEndpoint(): least connections shares among equals", () => {
  const chosen = new Set(
    [0, 0.3, 0.6, 0.9].map((random) =>
      chooseEndpoint("least_connections", 4, { turn: 0, random, openAt: () => 5 }),
    ),
  );
  expect(chosen).toEqual(new Set([0, 1, 2, 3]));
});

test("chooseEndpoint(): always names one of the candidates", () => {
  fc.assert(
    fc.property(
      fc.record({
        algorithm: fc.constantFrom("round_robin", "random", "least_connections"),
        count: fc.integer({ min: 1, max: 500 }),
        turn: fc.nat(0x3fff_ffff),
        random: fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
      }),
      ({ algorithm, count, turn, random }) => {
        const index = chooseEndpoint(algorithm, count, { turn, random, openAt: (at) => at % 7 });
        expect(Number.isInteger(index) && index >= 0 && index < count).toBe(true);
      },
    ),
  );
});
