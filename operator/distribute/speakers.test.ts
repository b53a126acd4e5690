import { expect, test } from "@jest/globals";
import type { NodeReport } from "../../core/model/node-report.ts";
import type { NodePeer } from "./authenticate.ts";
import type { Applied } from "./config-session.ts";
import { Speakers } from "./speakers.ts";

const NOTHING: Applied = { held: new Map(), refused: [], errors: [] };

function peer(podUid: string): NodePeer {
  return { kind: "node", node: "a", podUid, expiresAtMs: Number.POSITIVE_INFINITY };
}

function report(version: string): NodeReport {
  return { node: "a", version, captures: [], leaves: [], bundles: [], olderTunnels: [] };
}

/** What was told on, and speakers whose pods are superseded as the set says. */
function listen() {
  const told: string[] = [];
  const superseded = new Set<string>();
  const speakers = new Speakers({
    isSuperseded: (podUid) => superseded.has(podUid),
    onApplied: ({ podUid }) => told.push(`${podUid} applied`),
    onReport: ({ podUid }, { version }) => told.push(`${podUid} ${version}`),
    onGone: (node) => told.push(`${node} gone`),
  });
  return { told, superseded, speakers };
}

test("Speakers: the old pod of an upgrade speaks until the new one has reported, then no more", () => {
  const { told, speakers } = listen();
  const old = speakers.add(peer("old"));
  old.apply(NOTHING);
  old.report(report("1"));
  const young = speakers.add(peer("young"));
  young.apply(NOTHING);
  old.report(report("2"));
  young.report(report("3"));
  old.report(report("4"));
  old.apply(NOTHING);
  old.end();
  expect(told).toEqual(["old applied", "old 1", "old 2", "young applied", "young 3"]);
});

test("Speakers: a draining pod that connects anew does not become the speaker by that", () => {
  const { told, superseded, speakers } = listen();
  speakers.add(peer("young")).report(report("1"));
  superseded.add("old");
  speakers.add(peer("old")).report(report("2"));
  expect(told).toEqual(["young 1"]);
});

test("Speakers: with its successor's stream elsewhere a draining pod falls silent here", () => {
  const { told, superseded, speakers } = listen();
  const old = speakers.add(peer("old"));
  old.report(report("1"));
  superseded.add("old");
  speakers.review();
  old.report(report("2"));
  expect(told).toEqual(["old 1", "a gone"]);
});

test("Speakers: when the young pod fails, the old one's last words are told again", () => {
  const { told, speakers } = listen();
  const old = speakers.add(peer("old"));
  old.report(report("1"));
  const young = speakers.add(peer("young"));
  young.report(report("2"));
  young.end();
  old.end();
  expect(told).toEqual(["old 1", "young 2", "old 1", "a gone"]);
});
