/**
 * Each part of a running mesh is killed under load, with what the deployed manifest gives a node proxy:
 * what may live lives, nothing is ever readable between the nodes, nothing goes past policy.
 */
import { spawnSync } from "node:child_process";
import { beforeAll, expect, test } from "@jest/globals";
import { sized } from "../soak.ts";
import type { LoadOutcome, Outcome } from "./faults/outcome.ts";

const LIMIT_MS = 900_000;
/** Of a busy machine; the outcome tells the number. */
const OUTAGE_MS = sized(90_000, 2_000);
/** A process that hangs is ended after eleven seconds. */
const HANG_MS = 11_000;

let outcome: Outcome;

beforeAll(() => {
  const done = spawnSync(process.execPath, ["test/netns/faults/main.ts"], {
    encoding: "utf8",
    timeout: LIMIT_MS,
  });
  if (done.status !== 0) throw new Error(`exit ${done.status}\n${done.stderr}`);
  outcome = JSON.parse(done.stdout) as Outcome;
}, LIMIT_MS + 10_000);

/** What no fault may ever cost, and that there was something to lose. */
function expectHarmless(load: LoadOutcome): void {
  expect(load).toMatchObject({ lost: [], corrupt: [], forbiddenAnswered: 0 });
  expect(load.answered).toBeGreaterThan(0);
  expect(load.kept).toBeGreaterThan(0);
  expect(load.forbiddenTried).toBeGreaterThan(0);
}

test("faults: between the nodes nothing but TLS was ever on the wire, and every call came by a tunnel", () => {
  expect(outcome.wire).toMatchObject({ otherBytes: 0, sawText: false });
  expect(outcome.wire.tlsBytes).toBeGreaterThan(0);
  expect(outcome.untunnelled).toEqual([]);
});

test("faults: traffic runs as the manifest's user, with three capabilities and no way to more", () => {
  const rights = {
    user: "65532",
    groups: "",
    capabilities: ["NET_ADMIN", "NET_RAW", "SYS_ADMIN"],
    canGain: false,
  };
  expect(outcome.traffic).toEqual([rights, rights]);
});

test("faults: control killed costs nothing at all", () => {
  expectHarmless(outcome.controlKilled);
  expect(outcome.controlKilled).toMatchObject({ torn: 0, broken: 0 });
});

test("faults: traffic killed costs the connections it carried, new ones wait for the next", () => {
  expectHarmless(outcome.trafficKilled);
  expect(outcome.trafficKilled.broken).toBeGreaterThan(0);
  expect(outcome.trafficKilled.longestGapMs).toBeLessThan(OUTAGE_MS);
});

test("faults: traffic that hangs is noticed and replaced, new connections wait for it", () => {
  expectHarmless(outcome.trafficStopped);
  expect(outcome.trafficStopped.longestGapMs).toBeLessThan(HANG_MS + OUTAGE_MS);
});

test("faults: operator killed, control killed while it is away, operator back: nothing is lost", () => {
  expectHarmless(outcome.operatorKilled);
  expect(outcome.operatorKilled).toMatchObject({ torn: 0, broken: 0 });
});

test("faults: a policy that came just before rules on when operator and control are killed together", () => {
  expect(outcome.lateForbidden).toEqual([
    expect.stringContaining("failed"),
    expect.stringContaining("failed"),
  ]);
});

test("faults: a new operator remembers the captures of a node that cannot speak", () => {
  expect(outcome.operatorAlone.tunnelsKept).toBe(true);
  expect(outcome.operatorAlone.to).toContain("failed");
});

test("faults: a node proxy that is killed whole costs its own pods' connections until it is back", () => {
  for (const load of [outcome.nodeProxyKilled, outcome.memoryLost]) {
    expectHarmless(load);
    expect(load.longestGapMs).toBeLessThan(OUTAGE_MS);
  }
});

test("faults: a node proxy that is stopped leaves its rules: its pods are not reached, never past policy", () => {
  expect(outcome.stopped).toMatchObject({ exitCode: 0, startedAgain: "api-2" });
  expect(outcome.stopped.rules).toBeGreaterThan(0);
  expect(outcome.stopped.to).toContain("failed");
});

test("faults: a successor that is killed costs what it carried, the one before goes on without refusing any", () => {
  expectHarmless(outcome.successorLost);
  expect(outcome.successorLost.longestGapMs).toBeLessThan(OUTAGE_MS);
});

test("faults: node proxies that are replaced under load refuse no connection and cut none", () => {
  expectHarmless(outcome.upgraded);
  expect(outcome.upgraded).toMatchObject({ torn: 0, broken: 0 });
});

test("faults: node proxies that are replaced while the operator is away go by what the ones before knew", () => {
  expectHarmless(outcome.upgradedAlone);
  expect(outcome.upgradedAlone).toMatchObject({ torn: 0, broken: 0 });
});

test("faults: node proxies that are told to end before there is a next one serve until it does: none is refused or cut", () => {
  expectHarmless(outcome.toldToEnd);
  expect(outcome.toldToEnd).toMatchObject({ torn: 0, broken: 0 });
});
