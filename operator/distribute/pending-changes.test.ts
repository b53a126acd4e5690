import { expect, test } from "@jest/globals";
import type { Resource } from "../../core/model/resource.ts";
import { PendingChanges } from "./pending-changes.ts";

const NOTHING = { upserts: [], removals: [] };
const ref = { kind: "bundle" as const, name: "a" };

function bundle(name: string, version: string): Resource {
  return {
    name,
    version,
    body: {
      kind: "bundle",
      value: { trustDomain: name, roots: [Uint8Array.of(1)], issuer: "", retired: [] },
    },
  };
}

test("PendingChanges: sends only what is subscribed, and removes what no longer is", () => {
  const pending = new PendingChanges();
  pending.change({ upserts: [bundle("a", "1"), bundle("b", "1")], removals: [] });
  expect(pending.next()).toEqual(NOTHING);
  pending.applied();
  pending.subscribe(ref);
  expect(pending.next()).toEqual({ upserts: [bundle("a", "1")], removals: [] });
  pending.applied();
  pending.subscribeAll("bundle");
  expect(pending.next()).toEqual({ upserts: [bundle("b", "1")], removals: [] });
  pending.applied();
  pending.unsubscribeAll("bundle");
  expect(pending.next()).toEqual({ upserts: [], removals: [{ kind: "bundle", name: "b" }] });
  pending.applied();
  expect([...pending.held.keys()]).toEqual(["bundle a"]);
});

test("PendingChanges: what the node brought along is not sent again, what is gone is removed", () => {
  const pending = new PendingChanges();
  pending.subscribeAll("bundle");
  pending.hold({ ...ref, version: "1" });
  pending.hold({ kind: "bundle", name: "gone", version: "1" });
  pending.change({ upserts: [bundle("a", "1")], removals: [] });
  expect(pending.next()).toEqual({ upserts: [], removals: [{ kind: "bundle", name: "gone" }] });
});

test("PendingChanges: a change taken back while a batch is under way is not sent", () => {
  const pending = new PendingChanges();
  pending.subscribeAll("bundle");
  pending.change({ upserts: [bundle("a", "1")], removals: [] });
  pending.next();
  pending.change({ upserts: [bundle("a", "2")], removals: [] });
  pending.change({ upserts: [bundle("a", "1")], removals: [] });
  pending.applied();
  expect(pending.next()).toEqual(NOTHING);
});

test("PendingChanges: a refused version is never sent again, its successor is", () => {
  const pending = new PendingChanges();
  pending.subscribeAll("bundle");
  pending.change({ upserts: [bundle("a", "1"), bundle("b", "1")], removals: [] });
  pending.next();
  expect(pending.rejected([{ ...ref, reason: "no" }])).toBe(true);
  expect(pending.next()).toEqual({ upserts: [bundle("b", "1")], removals: [] });
  pending.applied();
  pending.change({ upserts: [bundle("a", "1")], removals: [] });
  expect(pending.next()).toEqual(NOTHING);
  pending.applied();
  expect(pending.refused).toEqual([{ ...ref, version: "1", reason: "no" }]);
  pending.change({ upserts: [bundle("a", "2")], removals: [] });
  expect(pending.next()).toEqual({ upserts: [bundle("a", "2")], removals: [] });
  expect(pending.refused).toEqual([]);
});

test("PendingChanges: what the node took unread is held and told until it can be read or is gone", () => {
  const pending = new PendingChanges();
  pending.subscribeAll("bundle");
  pending.change({ upserts: [bundle("a", "1"), bundle("b", "1")], removals: [] });
  pending.next();
  pending.applied([
    { ...ref, reason: "newer" },
    { kind: "bundle", name: "other", reason: "?" },
  ]);
  const unread = { ...ref, version: "1?", reason: "newer" };
  expect(pending.refused).toEqual([unread]);
  expect([...pending.held.values()].map(({ version }) => version)).toEqual(["1?", "1"]);
  expect(pending.next()).toEqual(NOTHING);
  pending.applied();
  expect(pending.refused).toEqual([unread]);
  pending.change({ upserts: [bundle("a", "2")], removals: [] });
  expect(pending.next().upserts).toEqual([bundle("a", "2")]);
  pending.applied();
  expect(pending.refused).toEqual([]);
  pending.change({ upserts: [bundle("a", "3")], removals: [] });
  pending.next();
  pending.applied([{ ...ref, reason: "newer" }]);
  pending.change({ upserts: [], removals: [ref] });
  pending.next();
  pending.applied();
  expect([pending.refused, pending.held.size]).toEqual([[], 1]);
});
