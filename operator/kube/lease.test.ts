import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { pino } from "pino";
import { KubeObjectServer } from "../../test/fakes/kube-object-server.ts";
import { LeaderElection, type LeaseTiming } from "./lease.ts";

const PATH = "/apis/coordination.k8s.io/v1/namespaces/weft-system/leases/weft-operator";
const TIMING: LeaseTiming = { renewMs: 20, stepDownMs: 300, durationMs: 1000 };
/** For a leader that must not lose the Lease to a machine that is busy. */
const PATIENT: LeaseTiming = { renewMs: 20, stepDownMs: 7000, durationMs: 10_000 };

let server: KubeObjectServer;
let open: LeaderElection[];

beforeEach(async () => {
  server = new KubeObjectServer();
  open = [];
  await server.start();
});

afterEach(async () => {
  await Promise.all(open.map((election) => election.close()));
  await server.stop();
});

interface Candidate {
  readonly election: LeaderElection;
  readonly elected: Promise<AbortSignal>;
}

function candidate(holder: string, timing = TIMING): Candidate {
  const { promise: elected, resolve } = Promise.withResolvers<AbortSignal>();
  const election = new LeaderElection({
    api: server.client(),
    namespace: "weft-system",
    name: "weft-operator",
    holder,
    log: pino({ enabled: false }),
    onElected: resolve,
    timing,
  });
  open.push(election);
  election.start();
  return { election, elected };
}

async function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return;
  await new Promise((resolve) => {
    signal.addEventListener("abort", resolve);
  });
}

function holderOf(): string {
  const spec = server.get(PATH)?.["spec"] as { readonly holderIdentity?: string } | undefined;
  return spec?.holderIdentity ?? "";
}

test("LeaderElection: of two candidates one leads, and the other follows as soon as the Lease is given back", async () => {
  const first = candidate("a", PATIENT);
  const term = await first.elected;
  const second = candidate("b", PATIENT);
  await server.nextWrite(({ path }) => path === PATH);
  expect([first.election.isLeader(), second.election.isLeader()]).toEqual([true, false]);
  const before = performance.now();
  await first.election.close();
  expect(term.aborted).toBe(true);
  await second.elected;
  // Given back, not waited for until it expired.
  expect(performance.now() - before).toBeLessThan(PATIENT.durationMs);
  expect(holderOf()).toMatch(/^b_/);
  expect(first.election.isLeader()).toBe(false);
});

test("LeaderElection: with the API server away the term ends before another may begin one", async () => {
  const { election, elected } = candidate("a");
  const term = await elected;
  server.isFailing = true;
  const before = performance.now();
  await aborted(term);
  expect(performance.now() - before).toBeLessThan(TIMING.durationMs);
  expect(election.isLeader()).toBe(false);
  server.isFailing = false;
});

test("LeaderElection: a leader that comes back after an outage leads again", async () => {
  const terms: AbortSignal[] = [];
  const election = new LeaderElection({
    api: server.client(),
    namespace: "weft-system",
    name: "weft-operator",
    holder: "a",
    log: pino({ enabled: false }),
    onElected: (term) => void terms.push(term),
    timing: TIMING,
  });
  open.push(election);
  election.start();
  await server.nextWrite(({ path }) => path.endsWith("/leases"));
  await server.nextWrite(({ path }) => path === PATH);
  server.isFailing = true;
  await aborted(terms[0] ?? AbortSignal.abort());
  server.isFailing = false;
  await server.nextWrite(({ path }) => path === PATH);
  await server.nextWrite(({ path }) => path === PATH);
  expect(terms.map(({ aborted: hasEnded }) => hasEnded)).toEqual([true, false]);
  expect(election.isLeader()).toBe(true);
});

test("LeaderElection: a Lease whose holder died is taken once it stood unchanged for its duration", async () => {
  server.put(PATH, {
    metadata: { name: "weft-operator", namespace: "weft-system" },
    spec: { holderIdentity: "dead", leaseDurationSeconds: 1, leaseTransitions: 3 },
  });
  const before = performance.now();
  const { elected } = candidate("b");
  await elected;
  expect(performance.now() - before).toBeGreaterThan(1000);
  expect(server.get(PATH)?.["spec"]).toMatchObject({ leaseTransitions: 4 });
});

test("LeaderElection: a leader whose Lease somebody else took ends its term at once and does not take it back", async () => {
  const { election, elected } = candidate("a");
  const term = await elected;
  const lease = server.get(PATH) ?? {};
  server.put(PATH, { ...lease, spec: { holderIdentity: "thief", leaseDurationSeconds: 3600 } });
  await aborted(term);
  expect(election.isLeader()).toBe(false);
  await election.close();
  expect(holderOf()).toBe("thief");
});
