import { expect, test } from "@jest/globals";
import { parseCaRotation, parseCaRotationProgress } from "./ca-rotation.ts";

function object(spec: unknown): object {
  return {
    apiVersion: "weft.dev/v1",
    kind: "CARotation",
    metadata: { name: "one", uid: "u" },
    spec,
  };
}

test("parseCaRotation(): only the authority has to be given", () => {
  expect(parseCaRotation(object({ authority: "root" }))).toMatchObject({
    kind: "accepted",
    value: {
      metadata: { name: "one", uid: "u" },
      authority: "root",
      abort: false,
      waivedNodes: [],
    },
  });
  const whole = { authority: "intermediate", abort: true, waivedNodes: ["node-a"] };
  expect(parseCaRotation(object(whole))).toMatchObject({ kind: "accepted", value: whole });
});

test.each([
  [undefined, "spec"],
  [{}, "spec.authority"],
  [{ authority: "leaf" }, "spec.authority"],
  [{ authority: "root", abort: "yes" }, "spec.abort"],
  [{ authority: "root", waivedNodes: [] }, "spec.waivedNodes"],
  [{ authority: "root", waivedNodes: [1] }, "spec.waivedNodes[0]"],
  [{ authority: "root", force: true }, "spec.force"],
])("parseCaRotation(): %j is refused at %s", (spec, field) => {
  const parsed = parseCaRotation(object(spec));
  expect(parsed.kind).toBe("refused");
  expect(parsed.kind === "refused" && parsed.reasons.map((reason) => reason.field)).toContain(
    field,
  );
});

test("parseCaRotationProgress(): nothing but a known phase is progress", () => {
  expect(parseCaRotationProgress(undefined)).toBeUndefined();
  expect(parseCaRotationProgress({ phase: "Later" })).toBeUndefined();
  const since = new Date("2026-01-01T00:00:00Z");
  expect(parseCaRotationProgress({ phase: "Add", to: "b", phaseSince: since })).toEqual({
    phase: "Add",
    aborting: false,
    to: "b",
    startedAt: "",
    phaseSince: "2026-01-01T00:00:00.000Z",
    finishedAt: "",
  });
});
