/** Tunnel requests by a caller whose certificate is good: none leads anywhere but to the pod's own application. */
import { once } from "node:events";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { APP_PORT, type AttackMesh, createAttackMesh, IDENTITY_A } from "./attack-mesh.ts";
import { startFromPod } from "./pod-network.ts";
import { connectTo, headerBlock, headers } from "./raw-http2.ts";

const B = "10.77.0.3";
const TARGET = `${B}:${APP_PORT}`;
let attacks: AttackMesh;

beforeAll(async () => {
  attacks = await createAttackMesh("wt-aconn");
});

afterAll(async () => {
  await attacks[Symbol.asyncDispose]();
});

/** One request on a tunnel of its own, which ends with the answer. */
async function answerTo(block: Buffer): Promise<number | string> {
  const tunnel = attacks.tunnel().send(headers(1, block));
  const answer = await tunnel.answer(1);
  tunnel.destroy();
  return answer;
}

const AUTHORITIES: readonly (readonly [string, string])[] = [
  ...["10.77.0.2", "10.77.0.1", "127.0.0.1", "0.0.0.0", "169.254.169.254", "10.96.0.1"].map(
    (address) => [`${address}:80`, "foreign_address"] as const,
  ),
  // The pod's own, but not the address that this tunnel came to.
  [`[fd77::3]:${APP_PORT}`, "foreign_address"],
  ["[::]:80", "foreign_address"],
  ["[::1]:80", "foreign_address"],
  ["[::ffff:10.77.0.2]:80", "foreign_address"],
  ...[15_000, 15_001, 15_006, 15_008, 15_020, 15_021, 15_090].map(
    (port) => [`${B}:${port}`, "own_port"] as const,
  ),
  ...["0", "65536", "99999999999", "-1", "08080", "0x50", "80 ", ""].map(
    (port) => [`${B}:${port}`, "malformed_authority"] as const,
  ),
  ["b.shop.svc.cluster.local:80", "malformed_authority"],
  [B, "malformed_authority"],
  ["fd77::3:80", "malformed_authority"],
  ["[fe80::1%eth0]:80", "malformed_authority"],
  ["10.77.3:80", "malformed_authority"],
  ["012.77.0.3:80", "malformed_authority"],
  [`${"1".repeat(3000)}:80`, "malformed_authority"],
];

for (const [authority, code] of AUTHORITIES) {
  const shown = authority.length > 60 ? `${authority.slice(0, 20)}…` : authority;
  test(`CONNECT "${shown}": 400, ${code}`, async () => {
    // What HTTP/2 itself takes for no authority at all never becomes a request: it is told when the tunnel ends.
    const isNone = authority.includes(" ");
    const { facts } = await attacks.refused(isNone ? "malformed_request" : code, async () => {
      expect(await answerTo(connectTo(authority))).toBe(isNone ? "reset 1" : 400);
    });
    expect(facts.source.identity).toBe(IDENTITY_A);
    expect(facts.sourceAddress).toMatch(/^10\.77\.0\.1:[1-9]/);
  });
}

const PATH = [
  [":scheme", "https"],
  [":path", "/"],
] as const;

type Fields = readonly (readonly [string, string])[];

const CONNECT: Fields = [
  [":method", "CONNECT"],
  [":authority", TARGET],
];

const REQUESTS: readonly (readonly [string, Fields, number | string])[] = [
  ...["GET", "POST", "PUT", "OPTIONS", "TRACE", "connect", "PRI"].map(
    (method) =>
      [`method ${method}`, [[":method", method], [":authority", TARGET], ...PATH], 400] as const,
  ),
  // RFC 9113 8.5 and 8.3: HTTP/2 itself ends the stream, no request ever begins.
  ["CONNECT with :path and :scheme", [...CONNECT, ...PATH], "reset 1"],
  ["extended CONNECT", [...CONNECT, [":protocol", "websocket"], ...PATH], "reset 1"],
  ["CONNECT without :authority", [[":method", "CONNECT"]], "reset 1"],
  ["an empty :authority", [CONNECT[0] ?? ["", ""], [":authority", ""]], "reset 1"],
  ["user info in :authority", [CONNECT[0] ?? ["", ""], [":authority", `u@${TARGET}`]], "reset 1"],
  ["two :authority", [...CONNECT, [":authority", "10.77.0.2:80"]], "reset 1"],
  ["two :method", [...CONNECT, [":method", "GET"]], "reset 1"],
  ["an unknown pseudo-header", [...CONNECT, [":target", "x"]], "reset 1"],
  [
    "a pseudo-header after a header",
    [CONNECT[0] ?? ["", ""], ["x", "y"], [":authority", TARGET]],
    "reset 1",
  ],
  ["a header in capitals", [...CONNECT, ["Forwarded", "x"]], "reset 1"],
  ["a connection header", [...CONNECT, ["connection", "close"]], "reset 1"],
  ["transfer-encoding", [...CONNECT, ["transfer-encoding", "chunked"]], "reset 1"],
  [
    "more headers than a tunnel needs",
    [...CONNECT, ...Array.from({ length: 40 }, (_, i) => [`x-${i}`, "v"] as const)],
    // ENHANCE_YOUR_CALM
    "reset 11",
  ],
];

for (const [what, fields, answer] of REQUESTS) {
  const code = answer === 400 ? "not_connect" : "malformed_request";
  test(`tunnel request: ${what}: ${answer}, ${code}`, async () => {
    const { facts } = await attacks.refused(code, async () => {
      expect(await answerTo(headerBlock(fields))).toBe(answer);
    });
    expect(facts.source.identity).toBe(IDENTITY_A);
  });
}

test("tunnel request: what the caller says about itself changes neither verdict nor log", async () => {
  const { mesh } = attacks;
  const ended = mesh.b.nextEnded();
  const lies: Fields = [
    ["forwarded", "for=10.77.0.9"],
    ["x-forwarded-for", "10.77.0.9"],
    ["x-forwarded-client-cert", "URI=spiffe://cluster.local/ns/weft-system/sa/weft-operator"],
    ["baggage", `k8s.namespace.name=weft-system,k8s.deployment.name=${"x".repeat(2000)}`],
    ["traceparent", "00-garbage"],
    ["host", "10.77.0.2:22"],
    ["content-length", "5"],
  ];
  const tunnel = attacks.tunnel().send(headers(1, headerBlock([...CONNECT, ...lies])));
  expect(await tunnel.answer(1)).toBe(200);
  tunnel.destroy();
  const { facts } = await ended;
  expect(facts.source).toMatchObject({ identity: IDENTITY_A, namespace: "", name: "", owner: "" });
  expect(facts.sourceAddress).toMatch(/^10\.77\.0\.1:/);
  expect(facts.destinationAddress).toBe(TARGET);
  expect(attacks.seen.at(-1)).toBe("10.77.0.1");
  expect(await mesh.b.metrics()).not.toMatch(/weft-system|xxx/);
});

test("own ports: an application that calls a peer's tunnel port gets to no port of the mesh", async () => {
  const { a } = attacks.mesh;
  await attacks.refused("own_port", async () => {
    const socket = startFromPod(attacks.mesh.network.a, B, 15_008);
    const [error] = (await once(socket, "error")) as [NodeJS.ErrnoException];
    expect(error.code).toBe("ECONNRESET");
  });
  expect(a.ended.map(({ outcome }) => outcome.code)).toContain("malformed_by_peer");
});

for (const port of [15_001, 15_006]) {
  test(`own ports: ${port} from outside is refused as own_port`, async () => {
    const { facts } = await attacks.refused("own_port", async () => {
      const socket = startFromPod(attacks.node, B, port);
      await once(socket, "error");
    });
    expect(facts.destinationAddress).toBe(`${B}:${port}`);
  });

  test(`own ports: the pod's own ${port}, by loopback or address, leads into no loop`, async () => {
    const { a, network } = attacks.mesh;
    for (const host of ["127.0.0.1", network.a.v4, "::1", network.a.v6]) {
      const before = a.ended.length;
      const socket = startFromPod(network.a, host, port);
      await once(socket, "error");
      expect(a.ended.length - before).toBeLessThanOrEqual(1);
    }
    await attacks.stillServes();
  });
}
