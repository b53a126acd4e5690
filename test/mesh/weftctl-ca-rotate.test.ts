/** The real `weftctl ca rotate` as its own process, against an operator that moves a rotation on step by step. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { SmallCluster } from "../fakes/small-cluster.ts";

const MAIN = new URL("../../cli/main.ts", import.meta.url).pathname;

let cluster: SmallCluster;
let directory: string;

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), "weft-ctl-"));
  cluster = new SmallCluster();
  await cluster.start();
  cluster.install();
  writeFileSync(join(directory, "kubeconfig"), cluster.kubeconfig());
});

afterEach(async () => {
  await cluster.stop();
  rmSync(directory, { recursive: true });
});

function start(args: readonly string[]) {
  const flags = ["--kubeconfig", join(directory, "kubeconfig")];
  const argv = ["--no-warnings", MAIN, "ca", "rotate", ...args, ...flags];
  return spawn(process.execPath, argv, { stdio: ["ignore", "pipe", "pipe"] });
}

interface Outcome {
  readonly code: unknown;
  readonly shown: string;
  readonly told: string;
}

async function endOf(child: ReturnType<typeof start>): Promise<Outcome> {
  const ended = once(child, "exit");
  const [shown, told, [code]] = await Promise.all([text(child.stdout), text(child.stderr), ended]);
  return { code, shown, told };
}

async function rotate(...args: readonly string[]): Promise<Outcome> {
  return endOf(start(args));
}

async function rotateJson(...args: readonly string[]) {
  const { code, shown, told } = await rotate(...args, "--json");
  return { code, told, json: JSON.parse(shown) as Readonly<Record<string, unknown>> };
}

test("weftctl ca rotate root: asks for it, tells each change on stderr, and ends with 0 at Complete", async () => {
  const { code, told, json } = await rotateJson("root");
  expect(json).toMatchObject({
    outcome: "complete",
    created: true,
    rotation: { name: "root-1", authority: "root", phase: "Complete", nodesProven: "2/2" },
  });
  expect(code).toBe(0);
  expect(cluster.operator.writes).toEqual(['create {"authority":"root"}']);
  const phases = [...told.matchAll(/^root-1: (\w+), \d\/2 nodes$/gm)].map(([, phase]) => phase);
  expect(new Set(phases)).toEqual(new Set(["Add", "Reissue", "Drop", "Complete"]));
  expect(told).toMatch(/^ {2}Reissue: node-a Waiting: serves certificates of the other issuer$/m);
});

test("weftctl ca rotate: one of the same authority that is under way is followed, none is asked for", async () => {
  cluster.operator.put("intermediate-7", { authority: "intermediate" }, "Drop");
  const { code, shown } = await rotate("intermediate");
  expect([code, shown]).toEqual([
    0,
    "intermediate-7 is complete: every node uses the new intermediate\n",
  ]);
  expect(cluster.operator.writes).toEqual([]);
});

test("weftctl ca rotate: of two who ask at the same time the later gives way, and both follow one", async () => {
  cluster.operator.onCreate = () => cluster.operator.put("root-0", { authority: "root" }, "Add");
  const { code, json } = await rotateJson("root");
  expect([code, json["created"]]).toEqual([0, false]);
  expect(json["rotation"]).toMatchObject({ name: "root-0", phase: "Complete" });
  expect(cluster.operator.writes).toEqual(['create {"authority":"root"}', "delete root-2"]);
});

test("weftctl ca rotate: while another authority is rotated it refuses, and names that one", async () => {
  cluster.operator.put("root-3", { authority: "root" }, "Add");
  const { code, json } = await rotateJson("intermediate");
  expect([code, json["outcome"]]).toEqual([1, "other_under_way"]);
  expect(json["message"]).toMatch(/^root-3 is under way/);
  expect(cluster.operator.writes).toEqual([]);
});

test("weftctl ca rotate: a node that holds it up is named with its waiver, which lets it go on", async () => {
  cluster.operator.stuck.add("node-b");
  cluster.operator.phaseSince = new Date(Date.now() - 60_000).toISOString();
  const child = start(["root", "--json"]);
  const ended = endOf(child);
  const held =
    /node-b holds it up \(its last report is \d+s old\); .*ca rotate root --waive node-b/;
  await untilTold(child, held);
  const waived = await rotate("--waive", "node-b");
  expect([waived.code, waived.shown]).toEqual([0, "root-1 goes on without node-b\n"]);
  expect(waived.told).toContain("workloads there may be cut off");
  const { code, shown } = await ended;
  expect([code, JSON.parse(shown).message]).toEqual([
    0,
    "root-1 is complete: every node uses the new root; without the proof of node-b",
  ]);
  expect(cluster.operator.writes[1]).toBe('patch root-1 {"waivedNodes":["node-b"]}');
});

async function untilTold(child: ChildProcess, wanted: RegExp): Promise<void> {
  let told = "";
  await new Promise<void>((resolve, reject) => {
    child.stderr?.on("data", (chunk: Buffer) => {
      told += chunk.toString();
      if (wanted.test(told)) resolve();
    });
    child.once("exit", () => reject(new Error(`ended before it said ${wanted}: ${told}`)));
  });
}

test("weftctl ca rotate --waive: a name that is no node changes nothing", async () => {
  cluster.operator.put("root-3", { authority: "root" }, "Add");
  const { code, json } = await rotateJson("--waive", "node-z");
  expect([code, json["outcome"]]).toEqual([1, "unknown_node"]);
  expect(json["message"]).toMatch(/its nodes: node-a, node-b/);
  expect(cluster.operator.writes).toEqual([]);
});

test("weftctl ca rotate --abort: turns the one under way back, with 0 only where it was", async () => {
  expect(await rotateJson("--abort")).toMatchObject({
    code: 1,
    json: { outcome: "nothing_under_way" },
  });
  cluster.operator.put("root-3", { authority: "root" }, "Reissue");
  const { code, json } = await rotateJson("--abort");
  expect([code, json["outcome"]]).toEqual([0, "aborted"]);
  expect(cluster.operator.writes).toEqual(['patch root-3 {"abort":true}']);
});

test("weftctl ca rotate: one that is turned back meanwhile, refused or deleted gives 1", async () => {
  cluster.operator.put("root-3", { authority: "root", abort: true }, "Add");
  expect(await rotateJson("root")).toMatchObject({ code: 1, json: { outcome: "aborted" } });
  cluster.operator.refusal = "CaBrought";
  const refused = await rotateJson("root");
  expect(refused).toMatchObject({ code: 1, json: { outcome: "refused", created: true } });
  expect(refused.json["message"]).toMatch(/is refused: CaBrought: as it was told to$/);
  cluster.operator.refusal = "";
  cluster.operator.put("root-9", { authority: "root" }, "Add");
  cluster.operator.onLook = () => cluster.operator.remove("root-9");
  expect(await rotateJson("root")).toMatchObject({ code: 1, json: { outcome: "deleted" } });
});

test("weftctl ca rotate: Ctrl-C and --timeout leave it running and say how to come back", async () => {
  cluster.operator.stuck.add("node-a");
  const child = start(["root"]);
  const ended = endOf(child);
  await untilTold(child, /root-1: Add/);
  child.kill("SIGINT");
  const { code, shown } = await ended;
  expect(code).toBe(130);
  expect(shown).toBe(
    "root-1 goes on (Add); weftctl ca rotate root comes back to it, weftctl ca rotate --abort turns it back\n",
  );
  expect(cluster.operator.phaseOf("root-1")).toBe("Add");
  const late = await rotateJson("root", "--timeout", "1s");
  expect([late.code, late.json["outcome"], late.json["created"]]).toEqual([1, "timed_out", false]);
  expect(cluster.operator.writes).toHaveLength(1);
});

test("weftctl ca rotate: an API server that does not answer for a while does not end it", async () => {
  let looks = 0;
  cluster.operator.onLook = () => {
    looks += 1;
    if (looks !== 2) return;
    cluster.operator.failing = 503;
    setTimeout(() => (cluster.operator.failing = 0), 1500);
  };
  const { code, told } = await rotateJson("intermediate");
  expect(code).toBe(0);
  expect(told).toMatch(/answered 503.*; still trying/);
});

test("weftctl ca rotate: a mesh without the kind, and a missing right, are said as such", async () => {
  cluster.operator.failing = 404;
  const old = await rotateJson("root");
  expect(old).toMatchObject({ code: 1, json: { outcome: "kind_missing" } });
  cluster.operator.failing = 403;
  const forbidden = await rotateJson("root");
  expect(forbidden).toMatchObject({ code: 1, json: { outcome: "forbidden" } });
  expect(forbidden.json["message"]).toMatch(/^you may not list carotations\.weft\.dev: the right/);
});

test("weftctl ca rotate --dry-run: tells the phases and who would hold it up, and writes nothing", async () => {
  const { code, json } = await rotateJson("root", "--dry-run");
  expect(json).toMatchObject({
    authority: "root",
    ready: false,
    refusals: [{ reason: "NoCa" }],
    phases: [{ phase: "Add", nodes: 1 }, { phase: "Reissue" }, { phase: "Drop" }],
    heldUpBy: [{ node: "node-a", reason: "NodeNotReady" }],
    underWay: null,
  });
  expect(code).toBe(1);
  expect(cluster.operator.writes).toEqual([]);
  const { shown } = await rotate("root", "--dry-run");
  expect(shown).toMatch(/weftctl ca rotate root --waive node-a/);
});
