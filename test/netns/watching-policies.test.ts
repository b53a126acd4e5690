/** AUDIT and dry run on real connections: they decide nothing, and the log and the metrics tell what they saw. */
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import type { Server, Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import type { CompiledPolicy, Source } from "../../core/model/authorization-policy.ts";
import type { DeniedAttempt } from "../../core/model/denied-attempt.ts";
import { createAccessLog } from "../../nodeproxy/telemetry/access-log.ts";
import { isAnswered, listenInPod, startFromPod } from "./pod-network.ts";
import {
  createTrafficMesh,
  enrolment,
  type LoggedConnection,
  type TrafficMesh,
} from "./traffic-mesh.ts";

const PORT = 8080;
let mesh: TrafficMesh;
let server: Server;
const accepted: Socket[] = [];

beforeAll(async () => {
  mesh = await createTrafficMesh("wt-watch");
  server = await listenInPod(mesh.network.b, { port: PORT, family: 4 }, (socket) => {
    accepted.push(socket);
    socket.on("error", () => undefined).write("hello");
    socket.on("end", () => socket.end()).resume();
  });
});

afterAll(async () => {
  for (const socket of accepted) socket.destroy();
  await once(server.close(), "close");
  await mesh[Symbol.asyncDispose]();
});

function from(account: string): Source {
  const none = { namespaces: [], serviceAccounts: [], trustDomains: [], ipBlocks: [] };
  const not = { notNamespaces: [], notServiceAccounts: [], notTrustDomains: [], notIpBlocks: [] };
  const principals = [{ kind: "exact" as const, value: `cluster.local/ns/shop/sa/${account}` }];
  return { ...none, ...not, principals, notPrincipals: [] };
}

/** Two rules: the first matches nobody, the second the account. */
function policy(part: Pick<CompiledPolicy, "action" | "dryRun">, account: string): CompiledPolicy {
  const ref = `shop/${part.action.toLowerCase()}${part.dryRun ? "-dry" : ""}`;
  const rules = ["nobody", account].map((name, index) => ({
    index,
    from: [from(name)],
    to: [],
    when: [],
  }));
  return { ref, invalid: false, rules, ...part };
}

/** One call of a to b under these policies: whether it got through, what was told of it, its access line. */
async function callUnder(...policies: readonly CompiledPolicy[]): Promise<{
  readonly isCarried: boolean;
  readonly told: LoggedConnection;
  readonly line: Record<string, unknown>;
  readonly counted: readonly string[];
}> {
  const refs = policies.map(({ ref }) => ref);
  const before = await policyMetrics();
  mesh.put(
    ...policies.map((value) => ({ kind: "policy" as const, value })),
    enrolment(mesh.network.b, "b", { policies: refs }),
  );
  const ended = mesh.b.nextEnded();
  const socket = startFromPod(mesh.network.a, mesh.network.b.v4, PORT);
  const isCarried = await isAnswered(socket);
  const told = await ended;
  const counted = (await policyMetrics()).filter((line) => !before.includes(line));
  return { isCarried, told, line: await lineOf(told), counted };
}

async function policyMetrics(): Promise<readonly string[]> {
  const text = await mesh.b.metrics();
  return text.split("\n").filter((line) => line.startsWith("weft_policy_"));
}

/** As the traffic process writes it. */
async function lineOf({ facts, outcome }: LoggedConnection): Promise<Record<string, unknown>> {
  const folder = mkdtempSync(join(tmpdir(), "weft-watch-"));
  const file = join(folder, "access.log");
  const log = createAccessLog({ file, onDropped: () => undefined });
  log.write(facts, outcome);
  await log.close();
  const text = readFileSync(file, "utf8");
  rmSync(folder, { recursive: true });
  return JSON.parse(text) as Record<string, unknown>;
}

test("AUDIT: a match lets the call through, and is told with its rule", async () => {
  const audit = policy({ action: "AUDIT", dryRun: false }, "a");
  const { isCarried, line, counted } = await callUnder(audit);
  expect(isCarried).toBe(true);
  expect(line["audited"]).toEqual([{ policy: "shop/audit", rule: 1, action: "AUDIT" }]);
  expect(line).not.toHaveProperty("dryRun");
  expect(line["code"]).toBe("");
  expect(counted).toEqual([
    'weft_policy_matches_total{policy="shop/audit",rule="1",effect="audited"} 1',
  ]);
});

test("AUDIT: what does not match is not told", async () => {
  const { isCarried, line, counted } = await callUnder(
    policy({ action: "AUDIT", dryRun: false }, "c"),
  );
  expect(isCarried).toBe(true);
  expect(line).not.toHaveProperty("audited");
  expect(counted).toEqual([]);
});

test("dry run: a DENY that matches refuses nothing, and tells that it would", async () => {
  const { isCarried, line, counted } = await callUnder(
    policy({ action: "DENY", dryRun: true }, "a"),
  );
  expect(isCarried).toBe(true);
  expect(line["dryRun"]).toBe("deny");
  expect(line["dryRunMatches"]).toEqual([{ policy: "shop/deny-dry", rule: 1, action: "DENY" }]);
  expect(counted).toEqual([
    'weft_policy_matches_total{policy="shop/deny-dry",rule="1",effect="dry_run"} 1',
    'weft_policy_dry_run_total{destination_namespace="shop",destination_workload="b",verdict="permit",dry_run="deny"} 1',
  ]);
});

test("dry run: an ALLOW that does not match would refuse, a matching one would not", async () => {
  const other = await callUnder(policy({ action: "ALLOW", dryRun: true }, "c"));
  expect(other.isCarried).toBe(true);
  expect(other.line["dryRun"]).toBe("deny");
  expect(other.line).not.toHaveProperty("dryRunMatches");
  const own = await callUnder(policy({ action: "ALLOW", dryRun: true }, "a"));
  expect(own.isCarried).toBe(true);
  expect(own.line["dryRun"]).toBe("permit");
  expect(own.counted.join()).toContain('verdict="permit",dry_run="permit"} 1');
});

test("dry run: an ALLOW in dry run lets nobody in that the policies in force refuse, and tells that it would", async () => {
  const inForce = policy({ action: "ALLOW", dryRun: false }, "c");
  const before = accepted.length;
  const { isCarried, line, told, counted } = await callUnder(
    inForce,
    policy({ action: "ALLOW", dryRun: true }, "a"),
  );
  expect(isCarried).toBe(false);
  expect(accepted).toHaveLength(before);
  expect(told.outcome.code).toBe("not_allowed");
  expect(line["dryRun"]).toBe("permit");
  expect(counted.join()).toContain('verdict="deny",dry_run="permit"} 1');
});

test("a DENY in force is told and counted with its rule, beside the AUDIT that matches too", async () => {
  const { isCarried, line, counted } = await callUnder(
    policy({ action: "DENY", dryRun: false }, "a"),
    policy({ action: "AUDIT", dryRun: false }, "a"),
  );
  expect(isCarried).toBe(false);
  expect(line).toMatchObject({ code: "denied_by_policy", policy: "shop/deny", rule: 1 });
  expect(line["audited"]).toEqual([{ policy: "shop/audit", rule: 1, action: "AUDIT" }]);
  expect(counted).toEqual([
    'weft_policy_matches_total{policy="shop/audit",rule="1",effect="audited"} 2',
    'weft_policy_matches_total{policy="shop/deny",rule="1",effect="denied"} 1',
  ]);
});

test("the id of a denial in the access line is answered by the node that wrote it, with what was seen", async () => {
  const { line } = await callUnder(policy({ action: "DENY", dryRun: false }, "a"));
  const { denial } = line;
  if (typeof denial !== "string") throw new Error(`no id in ${JSON.stringify(line)}`);
  expect(askedOf(mesh.b, denial)).toMatchObject({
    id: denial,
    code: "denied_by_policy",
    decided: { policy: "shop/deny", rule: 1 },
    wasOpen: false,
    pod: "uid-b",
    sourceWorkload: "shop/a",
    facts: {
      peer: { trustDomain: "cluster.local", namespace: "shop", serviceAccount: "a" },
      sourceIp: mesh.network.a.v4,
      destinationIp: mesh.network.b.v4,
      destinationPort: PORT,
    },
  });
  expect(askedOf(mesh.a, denial)).toBeUndefined();
});

function askedOf({ traffic, told }: TrafficMesh["a"], denial: string): DeniedAttempt | undefined {
  traffic.onMessage({ kind: "denial_request", id: 7, denial }, []);
  const answer = told.findLast((message) => message.kind === "denial" && message.id === 7);
  if (answer?.kind !== "denial") throw new Error("not answered");
  return answer.attempt;
}
