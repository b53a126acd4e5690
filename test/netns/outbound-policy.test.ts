/** MeshConfig's outboundPolicy: what a pod may call that the mesh does not know, in both families; a change acts at once. */
import { once } from "node:events";
import type { Server, Socket } from "node:net";
import { afterAll, beforeAll, beforeEach, expect, test } from "@jest/globals";
import { NOTHING_EXCLUDED } from "../../core/model/capture-exclusions.ts";
import { parseCidr } from "../../core/model/ip.ts";
import type { OutboundPolicy } from "../../core/model/mesh-settings.ts";
import type { ResourceBody } from "../../core/model/resource.ts";
import { applyRules } from "../../nodeproxy/capture/apply-rules.ts";
import { runInNamespace } from "../../nodeproxy/capture/run-in-namespace.ts";
import { until } from "../world/until.ts";
import { answerDatagrams, askByDatagram } from "./datagrams.ts";
import {
  closeNode,
  connectFromPod,
  listenInPod,
  nextText,
  openNode,
  startFromPod,
  type TestPod,
} from "./pod-network.ts";
import { createTrafficMesh, enrolment, type TrafficMesh, workload } from "./traffic-mesh.ts";

const APP = 8080;
const OTHER = 8081;
const DNS = 53;
/** The outside, as far as the pods can tell: the node's own network with addresses that nobody named. */
const UNKNOWN = { v4: "10.77.0.99", v6: "fd77::99" };
const NODE = { v4: "10.77.0.1", v6: "fd77::1" };
const BOTH = { possible: [4, 6], required: [4, 6] } as const;

let mesh: TrafficMesh;
let outside: TestPod;
const servers: Server[] = [];
const accepted: Socket[] = [];

beforeAll(async () => {
  mesh = await createTrafficMesh("wc-policy");
  outside = openNode("wc-policy", [NODE.v4, NODE.v6]);
  for (const address of [`${UNKNOWN.v4}/24`, `${UNKNOWN.v6}/64`]) {
    const nodad = address.includes(":") ? ["nodad"] : [];
    const command = ["ip", "addr", "add", address, "dev", "br0", ...nodad];
    const { stderr } = await runInNamespace(outside.namespace, command);
    if (stderr !== "") throw new Error(stderr);
  }
  for (const family of [4, 6] as const) {
    for (const port of [APP, OTHER, DNS]) servers.push(await serve(outside, family, port));
    servers.push(await serve(mesh.network.b, family, APP));
  }
});

beforeEach(() => {
  mesh.put(settings("ALLOW_ANY"));
});

afterAll(async () => {
  for (const socket of accepted) socket.destroy();
  await Promise.all(servers.map((server) => once(server.close(), "close")));
  closeNode(outside);
  await mesh[Symbol.asyncDispose]();
});

async function serve(pod: TestPod, family: 4 | 6, port: number): Promise<Server> {
  return listenInPod(pod, { port, family }, (socket) => {
    accepted.push(socket);
    socket.on("error", () => undefined);
    socket.write(`from ${socket.remoteAddress}`);
    socket.on("data", (chunk) => socket.write(chunk));
  });
}

function settings(outboundPolicy: OutboundPolicy): ResourceBody {
  const value = {
    trustDomain: "cluster.local",
    trustDomainAliases: [],
    leafLifetimeSeconds: 86_400,
    accessLog: true,
    outboundPolicy,
  };
  return { kind: "settings", value };
}

/** What pod a sees of the other end's greeting. */
async function greeted(address: string, port = APP): Promise<string> {
  const socket = startFromPod(mesh.network.a, address, port);
  const text = await nextText(socket);
  socket.destroy();
  return text;
}

/** The code by which the call was refused; the server never saw it. Calls before it, which were carried, may end meanwhile. */
async function refusal(address: string, port = APP): Promise<string> {
  const before = accepted.length;
  const told = mesh.a.ended.length;
  const socket = startFromPod(mesh.network.a, address, port);
  const [error] = (await once(socket, "error")) as [NodeJS.ErrnoException];
  expect(error.code).toBe("ECONNRESET");
  expect(accepted.length).toBe(before);
  const { outcome } = await until("the call's line in the log", () =>
    mesh.a.ended.slice(told).find(({ facts }) => facts.upstreamAddress === ""),
  );
  return outcome.code;
}

for (const family of ["v4", "v6"] as const) {
  const [unknown, node] = [UNKNOWN[family], NODE[family]];

  test(`outboundPolicy: ${family}, allowAny passes unknown addresses through, and the far end sees the pod`, async () => {
    const { a } = mesh.network;
    expect(await greeted(unknown)).toBe(`from ${a[family]}`);
    expect(await greeted(node)).toBe(`from ${a[family]}`);
  });

  test(`outboundPolicy: ${family}, registryOnly refuses new calls at once, with a code; an open one goes on`, async () => {
    const open = await connectFromPod(mesh.network.a, unknown, APP);
    await nextText(open);
    mesh.put(settings("REGISTRY_ONLY"));
    expect(await refusal(unknown)).toBe("destination_unknown");
    open.write("still");
    expect(await nextText(open)).toBe("still");
    open.destroy();
    expect(await mesh.a.metrics()).toMatch(
      /weft_tcp_connections_failed_total\{.*reason="destination_unknown".*\} [1-9]/,
    );
    mesh.put(settings("ALLOW_ANY"));
    expect(await greeted(unknown)).toContain("from");
  });

  test(`outboundPolicy: ${family}, registryOnly lets pods, captured or not, the own node, and DNS through`, async () => {
    mesh.put(settings("REGISTRY_ONLY"));
    const { a, b } = mesh.network;
    expect(await greeted(b[family])).toBe(`from ${a[family]}`);
    mesh.put(workload(b, "b", { tunnel: false }));
    mesh.put(enrolment(b, "b", { modes: { default: "PERMISSIVE", ports: [] } }));
    expect(await greeted(b[family])).toBe(`from ${a[family]}`);
    mesh.put(workload(b, "b", {}), enrolment(b, "b", {}));
    expect(await refusal(node)).toBe("destination_unknown");
    mesh.put(enrolment(a, "a", { nodeAddresses: [node] }));
    expect(await greeted(node)).toBe(`from ${a[family]}`);
    mesh.put(enrolment(a, "a", {}));
    expect(await greeted(unknown, DNS)).toBe(`from ${a[family]}`);
  });

  test(`outboundPolicy: ${family}, registryOnly knows the endpoints of a Service by hand, with their ports`, async () => {
    mesh.put(settings("REGISTRY_ONLY"), slice(unknown));
    expect(await greeted(unknown)).toContain("from");
    expect(await refusal(unknown, OTHER)).toBe("destination_unknown");
    mesh.remove({ kind: "endpointSlice", name: "shop/legacy-1" });
    expect(await refusal(unknown)).toBe("destination_unknown");
  });

  test(`outboundPolicy: ${family}, registryOnly rules neither UDP nor what is excluded by annotation`, async () => {
    mesh.put(settings("REGISTRY_ONLY"));
    const { a } = mesh.network;
    const udp = answerDatagrams(outside, family === "v4" ? 4 : 6, APP);
    expect(await askByDatagram(a, { address: unknown, port: APP })).toBe(`seen ${a[family]}`);
    udp.close();
    const outboundBlocks = [parseCidr(unknown)].flatMap((block) => block ?? []);
    for (const part of [{ outboundBlocks }, { outboundPorts: [APP] }]) {
      await applyRules(a.namespace, { ...BOTH, exclusions: { ...NOTHING_EXCLUDED, ...part } });
      expect(await greeted(unknown)).toBe(`from ${a[family]}`);
    }
    await applyRules(a.namespace, { ...BOTH, exclusions: NOTHING_EXCLUDED });
    expect(await refusal(unknown)).toBe("destination_unknown");
  });
}

function slice(address: string): ResourceBody {
  const endpoint = { workload: "", node: "", ready: true, draining: false, zone: "" };
  const value = {
    namespace: "shop",
    name: "legacy-1",
    service: "legacy",
    ports: [{ name: "", port: APP }],
    endpoints: [{ ...endpoint, address, forZones: [], forNodes: [] }],
  };
  return { kind: "endpointSlice", value };
}

test("a connection that conntrack does not know is reset, and the log says so", async () => {
  const { a } = mesh.network;
  const rule = "OUTPUT -p tcp --dport 15001 -j CT --notrack".split(" ");
  const added = await runInNamespace(a.namespace, ["iptables", "-t", "raw", "-I", ...rule]);
  expect(added.stderr).toBe("");
  const socket = startFromPod(a, a.v4, 15_001);
  await expect(once(socket, "end")).rejects.toThrow("ECONNRESET");
  const codes = mesh.a.ended.map(({ outcome }) => outcome.code);
  expect(codes).toContain("destination_unreadable");
  await runInNamespace(a.namespace, ["iptables", "-t", "raw", "-D", ...rule]);
});
