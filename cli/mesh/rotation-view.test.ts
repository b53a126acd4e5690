import { expect, test } from "@jest/globals";
import type { ClusterObject } from "./cluster-objects.ts";
import { chooseUnderWay, lackOf, viewRotation } from "./rotation-view.ts";

function rotation(name: string, phase: string, createdAt = "2030-01-01T00:00:00Z"): ClusterObject {
  const metadata = { name, creationTimestamp: createdAt };
  return { metadata, spec: { authority: "root" }, ...(phase === "" ? {} : { status: { phase } }) };
}

test("viewRotation(): one that no operator has looked at is Pending, with nothing else", () => {
  expect(viewRotation(rotation("root-1", ""))).toEqual({
    name: "root-1",
    authority: "root",
    phase: "Pending",
    aborting: false,
    reason: "",
    message: "",
    from: "",
    to: "",
    startedAt: "",
    phaseSince: "",
    finishedAt: "",
    nodesProven: "",
    waivedNodes: [],
    nodes: [],
  });
});

test("viewRotation(): a phase that this version does not know, and junk, break nothing", () => {
  const status = { phase: "Later", nodes: ["x", { name: 7 }], aborting: "yes" };
  const spec = { authority: 3, waivedNodes: "a" };
  expect(viewRotation({ metadata: { name: "r" }, spec, status })).toMatchObject({
    phase: "Pending",
    authority: "",
    aborting: false,
    waivedNodes: [],
    nodes: [{ name: "", state: "" }],
  });
});

test("chooseUnderWay(): one that has begun goes before one that waits, the older before the younger", () => {
  const younger = rotation("younger", "Pending", "2030-01-02T00:00:00Z");
  const older = rotation("older", "", "2030-01-01T00:00:00Z");
  const begun = rotation("begun", "Drop", "2030-01-03T00:00:00Z");
  const over = ["Complete", "Aborted", "Refused"].map((phase) => rotation(phase, phase));
  expect(chooseUnderWay([...over, younger, older, begun])?.name).toBe("begun");
  expect(chooseUnderWay([...over, younger, older])?.name).toBe("older");
  expect(chooseUnderWay(over)).toBeUndefined();
});

test.each([
  ["NoReport", "", "has not reported"],
  ["Tunnels", "", "has live tunnels on certificates of the other issuer"],
  ["Leaves", "2 of 7 leaves", "2 of 7 leaves"],
  ["SomethingNew", "", "SomethingNew"],
])("lackOf(): %s with the message %j", (missing, message, lack) => {
  const node = { name: "a", state: "Waiting", missing, message, lastReportAt: "" };
  expect(lackOf(node)).toBe(lack);
});
