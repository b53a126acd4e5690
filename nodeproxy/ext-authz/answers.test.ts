import { expect, test } from "@jest/globals";
import { Answers } from "./answers.ts";

test("Answers: one holds while the provider stays who it was, and no longer", () => {
  let terms = "grpc shop/opa 9191 false";
  const answers = new Answers(() => terms);
  expect(answers.has("opa")).toBe(false);
  answers.set("opa", { answer: "permit", terms });
  expect([answers.has("opa"), answers.get("opa"), answers.get("idp")]).toEqual([
    true,
    "permit",
    undefined,
  ]);
  terms = "";
  expect([answers.has("opa"), answers.get("opa")]).toEqual([false, undefined]);
});
