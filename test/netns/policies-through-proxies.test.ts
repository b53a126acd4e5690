/**
 * The cases of the policy language, on real connections: the very table that the evaluator is held to, through the
 * operator's index, two node proxies, real namespaces, rules and sockets. Names in brackets are the design's case ids.
 */
import { once } from "node:events";
import type { Socket } from "node:net";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { casesOfOrderAndIdentity } from "../policy-cases/cases-of-order-and-identity.ts";
import { casesOfPlaceAndReading } from "../policy-cases/cases-of-place-and-reading.ts";
import { A, allow, B, deny, FROM_A, from, ON_80, PLAIN, type Written } from "../policy-language.ts";
import { outcomeFromAnotherMesh, trustIn } from "./call-from-another-mesh.ts";
import { startFromPod } from "./pod-network.ts";
import {
  changesOf,
  createPolicyMesh,
  type Manifest,
  outcomeOf,
  type PolicyMesh,
  SERVICE,
} from "./policy-mesh.ts";
import { enrolment } from "./traffic-mesh.ts";

let world: PolicyMesh;

beforeAll(async () => {
  world = await createPolicyMesh("wt-policy");
});

afterAll(async () => {
  await world[Symbol.asyncDispose]();
});

function policy({ name = "p", namespace = "shop", dryRun = false, spec }: Written): Manifest {
  const annotations = dryRun ? { "weft.dev/dry-run": "true" } : {};
  const metadata = { name, namespace, annotations };
  return { apiVersion: "weft.dev/v1", kind: "AuthorizationPolicy", metadata, spec };
}

function policies(...written: readonly Written[]): readonly Manifest[] {
  return written.map((each, i) => policy({ name: `p${i}`, ...each }));
}

interface Modes {
  readonly name?: string;
  readonly namespace?: string;
  readonly second?: number;
  readonly mode?: string;
  readonly ports?: Readonly<Record<string, string>>;
  readonly labels?: Readonly<Record<string, string>>;
}

function modes({
  name = "m",
  namespace = "shop",
  second = 1,
  mode,
  ports,
  labels,
}: Modes): Manifest {
  const portModes = Object.entries(ports ?? {}).map(([port, of]) => [port, { mode: of }] as const);
  const spec = {
    ...(labels ? { selector: { matchLabels: labels } } : {}),
    ...(mode === undefined ? {} : { mtls: { mode } }),
    ...(ports ? { portLevelMtls: Object.fromEntries(portModes) } : {}),
  };
  const metadata = { name, namespace, creationTimestamp: `2026-01-01T00:00:0${second}Z` };
  return { apiVersion: "weft.dev/v1", kind: "PeerAuthentication", metadata, spec };
}

for (const [name, written, call, expected] of [
  ...casesOfOrderAndIdentity,
  ...casesOfPlaceAndReading,
]) {
  const isOfMesh = call.peer?.startsWith("cluster.local/") ?? true;
  test(`policy: ${name}`, async () => {
    const objects = policies(...written);
    world.rule(isOfMesh ? objects : [...objects, trustIn(call.peer ?? "")]);
    const outcome = isOfMesh ? world.outcomeOf(call) : outcomeFromAnotherMesh(world, call);
    expect(await outcome).toBe(expected);
  });
}

test("policy: [A12] order and names never matter", async () => {
  const written = [allow({}), deny(FROM_A), { spec: { action: "AUDIT", rules: [{}] } }];
  for (const names of ["abc", "cba", "bca"]) {
    world.rule(written.map((each, i) => policy({ ...each, name: names.charAt(i) })));
    expect(await world.outcomeOf(from(A))).toBe("denied_by_policy");
    expect(await world.outcomeOf(from(B))).toBe("permit");
  }
});

test("policy: [C6] [C7] a pod called directly and by its Service gives one verdict, for the workload's port", async () => {
  const { a, b } = world.mesh.network;
  const onPort = { to: [{ operation: { ports: ["8080"] } }] };
  const served = { to: [{ operation: { ports: [`${SERVICE.port}`] } }] };
  const ways = [
    { host: b.v4, port: 8080 },
    { host: SERVICE.address, port: SERVICE.port },
  ];
  for (const { host, port } of ways) {
    world.become(A);
    world.rule(policies(allow({ ...FROM_A, ...onPort })));
    expect(await outcomeOf(world.mesh, () => startFromPod(a, host, port))).toBe("permit");
    world.rule(policies(allow({ ...FROM_A, ...served })));
    expect(await outcomeOf(world.mesh, () => startFromPod(a, host, port))).toBe("not_allowed");
    world.rule(policies(deny({ ...FROM_A, ...onPort }), deny(ON_80)));
    expect(await outcomeOf(world.mesh, () => startFromPod(a, host, port))).toBe("denied_by_policy");
  }
});

const MESH = { namespace: "weft-system", name: "mesh" };
const API = { app: "api" };
/** Objects, the port, and what becomes of plaintext there; who has an identity is always let in. */
const modeCases: [string, readonly Manifest[], number, string][] = [
  ["[F10] nothing anywhere is PERMISSIVE", [], 8080, "permit"],
  ["[F10] the mesh", [modes({ ...MESH, mode: "STRICT" })], 8080, "plaintext_refused"],
  [
    "[F10] a namespace rules before the mesh",
    [modes({ ...MESH, mode: "STRICT" }), modes({ mode: "PERMISSIVE" })],
    8080,
    "permit",
  ],
  [
    "[F10] a workload before its namespace",
    [modes({ mode: "PERMISSIVE" }), modes({ name: "w", labels: API, mode: "STRICT" })],
    8080,
    "plaintext_refused",
  ],
  [
    "[F10] a port before its workload",
    [modes({ labels: API, mode: "STRICT", ports: { "8080": "PERMISSIVE" } })],
    8080,
    "permit",
  ],
  [
    "[F10] and no other port",
    [modes({ labels: API, mode: "STRICT", ports: { "8080": "PERMISSIVE" } })],
    80,
    "plaintext_refused",
  ],
  [
    "[F10] UNSET inherits",
    [
      modes({ ...MESH, mode: "STRICT" }),
      modes({ mode: "UNSET" }),
      modes({ name: "w", labels: API }),
    ],
    8080,
    "plaintext_refused",
  ],
  [
    "[F10] of two in one scope the oldest rules",
    [
      modes({ name: "z", second: 1, mode: "STRICT" }),
      modes({ name: "a", second: 2, mode: "PERMISSIVE" }),
    ],
    8080,
    "plaintext_refused",
  ],
  [
    "[F11] the port is the workload's",
    [modes({ labels: API, ports: { "8080": "STRICT" } })],
    8080,
    "plaintext_refused",
  ],
  [
    "[F11] a Service's port is none",
    [modes({ labels: API, ports: { [SERVICE.port]: "STRICT" } })],
    8080,
    "permit",
  ],
  [
    "[F12] STRICT refuses plaintext whatever ALLOW policies say",
    [modes({ mode: "STRICT" }), policy(allow({}))],
    8080,
    "plaintext_refused",
  ],
  ["DISABLE takes both", [modes({ mode: "DISABLE" })], 8080, "permit"],
];

for (const [name, objects, port, plaintext] of modeCases) {
  test(`modes: ${name}`, async () => {
    world.rule(objects);
    expect(await world.outcomeOf(from(PLAIN, { port }))).toBe(plaintext);
    expect(await world.outcomeOf(from(A, { port }))).toBe("permit");
  });
}

const SETTINGS = [undefined, "STRICT", "PERMISSIVE"] as const;
const COMBINATIONS = SETTINGS.flatMap((mesh) =>
  SETTINGS.flatMap((space) =>
    SETTINGS.flatMap((pod) => SETTINGS.map((port) => ({ mesh, space, pod, port }))),
  ),
);

test("modes: [F16] of every combination of mesh, namespace, workload and port the narrowest that is set rules", async () => {
  for (const combination of COMBINATIONS) {
    const { mesh, space, pod, port } = combination;
    world.rule([
      ...(mesh === undefined ? [] : [modes({ ...MESH, mode: mesh })]),
      ...(space === undefined ? [] : [modes({ mode: space })]),
      modes({ name: "w", labels: API, mode: pod ?? "UNSET", ports: { "8080": port ?? "UNSET" } }),
    ]);
    const ruling = port ?? pod ?? space ?? mesh;
    const expected = ruling === "STRICT" ? "plaintext_refused" : "permit";
    const outcome = await world.outcomeOf(from(PLAIN));
    expect({ ...combination, outcome }).toEqual({ ...combination, outcome: expected });
  }
}, 120_000);

test("modes: [F13] a caller on the host's network is a plaintext caller", async () => {
  const { host, mesh } = world;
  world.rule([modes({ mode: "STRICT" })]);
  function start(): Socket {
    return startFromPod(host, mesh.network.b.v4, 8080);
  }
  expect(await outcomeOf(mesh, start)).toBe("plaintext_refused");
  world.rule([modes({ mode: "PERMISSIVE" })]);
  expect(await outcomeOf(mesh, start)).toBe("permit");
  world.rule(policies(allow({ from: [{ source: { principals: ["*"] } }] })));
  expect(await outcomeOf(mesh, start)).toBe("not_allowed");
});

test("modes: [F15] STRICT closes open plaintext connections, and no others", async () => {
  world.rule([modes({ mode: "PERMISSIVE" })]);
  const proven = await world.open(from(A));
  const plain = await world.open(from(PLAIN));
  const closed = once(plain, "error");
  world.rule([modes({ mode: "STRICT" })]);
  await closed;
  expect(world.mesh.b.ended.at(-1)?.outcome.code).toBe("plaintext_refused");
  await endOrderly(proven);
});

test("over time: [G1] a new DENY closes the open connections that it forbids, and no others", async () => {
  world.rule([]);
  const ofB = await world.open(from(B));
  const ofA = await world.open(from(A));
  const closed = once(ofA, "error");
  world.rule(policies(deny(FROM_A)));
  await closed;
  expect(world.mesh.b.ended.at(-1)?.outcome.code).toBe("denied_by_policy");
  await endOrderly(ofB);
});

test("over time: [G2] a policy that comes to select the pod by its labels closes what it forbids", async () => {
  const selector = { matchLabels: { tier: "front" } };
  world.rule(policies({ spec: { action: "DENY", selector, rules: [FROM_A] } }));
  const open = await world.open(from(A));
  const closed = once(open, "error");
  world.relabel({ app: "api", tier: "front" });
  await closed;
  expect(world.mesh.b.ended.at(-1)?.outcome.code).toBe("denied_by_policy");
  expect(await world.outcomeOf(from(A))).toBe("denied_by_policy");
  world.relabel();
  expect(await world.outcomeOf(from(A))).toBe("permit");
});

test("over time: [G3] deletion opens again at the next connection", async () => {
  world.rule(policies(deny({})));
  expect(await world.outcomeOf(from(A))).toBe("denied_by_policy");
  world.rule([]);
  expect(await world.outcomeOf(from(A))).toBe("permit");
});

test("over time: [G5] a half-delivered set never rules: it denies until the rest is there", async () => {
  const { mesh } = world;
  const value = {
    ref: "shop/late",
    action: "ALLOW",
    dryRun: false,
    invalid: false,
    rules: [{ index: 0, from: [], to: [], when: [] }],
  } as const;
  const half = changesOf([
    enrolment(mesh.network.b, "b", {
      policies: ["shop/late"],
      modes: { default: "PERMISSIVE", ports: [] },
    }),
  ]);
  mesh.b.traffic.onMessage({ kind: "changes", changes: half }, []);
  expect(await world.outcomeOf(from(A))).toBe("policy_missing");
  const rest = changesOf([{ kind: "policy", value }]);
  mesh.b.traffic.onMessage({ kind: "changes", changes: rest }, []);
  expect(await world.outcomeOf(from(A))).toBe("permit");
});

/** It is open, and the application hears its end and ends too. */
async function endOrderly(socket: Socket): Promise<void> {
  socket.end();
  await once(socket, "close");
  expect(world.mesh.b.ended.at(-1)?.outcome.code).toBe("");
}
