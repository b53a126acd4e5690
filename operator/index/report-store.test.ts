import { expect, test } from "@jest/globals";
import type { CaptureState, NodeReport } from "../../core/model/node-report.ts";
import { ReportStore } from "./report-store.ts";

function reportOf(captures: Readonly<Record<string, CaptureState>>): NodeReport {
  return {
    node: "node1",
    version: "1",
    leaves: [],
    bundles: [],
    olderTunnels: [],
    captures: Object.entries(captures).map(([uid, state]) => {
      return { uid, state, reason: "", message: "", connectionsOutside: 0 };
    }),
  };
}

const rows: readonly [string, Readonly<Record<string, CaptureState>>, boolean][] = [
  ["stays while its node proxy, started again, still looks for it", { web: "pending" }, true],
  ["stays when its capture fails", { web: "failed" }, true],
  ["stays when a node proxy without memory does not name it yet", {}, true],
  ["ends when it is being released", { web: "releasing" }, false],
];

for (const [name, later, isCaptured] of rows) {
  test(`ReportStore: a captured pod's tunnel ${name}`, () => {
    const store = new ReportStore(() => true);
    store.putOwn(reportOf({ web: "captured" }), 1);
    const changed = store.putOwn(reportOf(later), 2);
    expect(store.isCaptured("node1", "web")).toBe(isCaptured);
    expect(changed).toEqual(isCaptured ? [] : ["web"]);
  });
}

test("ReportStore: a pod that is not enrolled any more and that nobody names is captured no longer", () => {
  const store = new ReportStore(() => false);
  store.putOwn(reportOf({ web: "captured" }), 1);
  expect(store.putOwn(reportOf({}), 2)).toEqual(["web"]);
});

test("ReportStore: a pod that was never captured has no tunnel", () => {
  const store = new ReportStore(() => true);
  store.putOwn(reportOf({ web: "pending" }), 1);
  expect(store.isCaptured("node1", "web")).toBe(false);
});

test("ReportStore: what is written of a node tells a store that starts anew which tunnels remain", () => {
  const old = new ReportStore(() => true);
  old.putOwn(reportOf({ web: "captured", api: "captured", gone: "captured" }), 1);
  old.putOwn(reportOf({ web: "pending", gone: "releasing" }), 2);
  const written = old.get("node1");
  if (!written) throw new Error("no report");
  // Its pods are not known yet, so nobody seems to be enrolled.
  const fresh = new ReportStore(() => false);
  expect(fresh.putWritten(written)).toEqual(["api", "web"]);
  expect(written.tunnels).toEqual(["api", "web"]);
});

test("ReportStore: a release ends a tunnel, also one that another replica wrote down", () => {
  const store = new ReportStore(() => true);
  const report = reportOf({ web: "releasing" });
  store.putWritten({ report, reportedAtMs: 1, tunnels: ["web"] });
  expect(store.isCaptured("node1", "web")).toBe(false);
});
