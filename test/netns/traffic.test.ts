/** Two pods of two nodes in real namespaces, through both data planes. */
import { once } from "node:events";
import type { Server, Socket } from "node:net";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { runInNamespace } from "../../nodeproxy/capture/run-in-namespace.ts";
import { createCraftedRoot } from "../fakes/crafted-ca.ts";
import { connectFromPod, listenInPod, nextText, startFromPod } from "./pod-network.ts";
import {
  createTrafficMesh,
  denyAll,
  enrolment,
  type TrafficMesh,
  workload,
} from "./traffic-mesh.ts";

const PORT = 8080;
let mesh: TrafficMesh;
const servers: Server[] = [];
const accepted: Socket[] = [];

beforeAll(async () => {
  mesh = await createTrafficMesh("wt-traffic");
  for (const family of [4, 6] as const) {
    servers.push(
      await listenInPod(mesh.network.b, { port: PORT, family }, (socket) => {
        accepted.push(socket);
        socket.on("error", () => undefined);
        // The server speaks first.
        socket.write(`hello ${socket.remoteAddress}`);
        socket.on("data", (chunk) => socket.write(chunk));
        socket.on("end", () => socket.end("bye"));
      }),
    );
  }
});

afterAll(async () => {
  for (const socket of accepted) socket.destroy();
  await Promise.all(servers.map((server) => once(server.close(), "close")));
  await mesh[Symbol.asyncDispose]();
});

test("traffic: four thousand connections may wait at each listener while the process hangs or is started again", async () => {
  // Who waits beyond that, at 511 by Node's own choice, is reset by the kernel later or tries again after seconds.
  const { stdout } = await runInNamespace(mesh.network.b.namespace, ["ss", "-Hltn"]);
  const limits = stdout
    .split("\n")
    .map((line) => line.split(/\s+/))
    .filter(([, , , address]) => /:150(01|06|08)$/.test(address ?? ""))
    .map(([, , limit]) => limit);
  expect(limits).toEqual(Array(6).fill("4096"));
});

for (const family of ["v4", "v6"] as const) {
  test(`traffic: a ${family} call is tunnelled, the caller's address and identity are seen, half-close is kept`, async () => {
    const ended = mesh.b.nextEnded();
    const socket = await connectFromPod(mesh.network.a, mesh.network.b[family], PORT);
    expect(await nextText(socket)).toBe(`hello ${mesh.network.a[family]}`);
    socket.write("ping");
    expect(await nextText(socket)).toBe("ping");
    socket.end();
    expect(await nextText(socket)).toBe("bye");
    await once(socket, "close");
    const { facts, outcome } = await ended;
    expect(facts.tunnelled).toBe(true);
    expect(facts.source.identity).toBe("spiffe://cluster.local/ns/shop/sa/a");
    expect(outcome).toMatchObject({ code: "", bytesSent: 4 });
  });
}

test("traffic: a reset by the application reaches the caller as a reset", async () => {
  const socket = await connectFromPod(mesh.network.a, mesh.network.b.v4, PORT);
  await nextText(socket);
  accepted.at(-1)?.resetAndDestroy();
  const [error] = (await once(socket, "error")) as [NodeJS.ErrnoException];
  expect(error.code).toBe("ECONNRESET");
});

test("traffic: a DENY closes the open connection, refuses the next and its deletion opens again", async () => {
  const socket = await connectFromPod(mesh.network.a, mesh.network.b.v4, PORT);
  await nextText(socket);
  const closed = once(socket, "error");
  mesh.put(denyAll("shop/deny"), enrolment(mesh.network.b, "b", { policies: ["shop/deny"] }));
  await closed;
  expect(mesh.b.ended.at(-1)?.outcome.code).toBe("denied_by_policy");
  const next = startFromPod(mesh.network.a, mesh.network.b.v4, PORT);
  await once(next, "error");
  expect(mesh.a.ended.at(-1)?.outcome.code).toBe("denied_by_peer");
  mesh.put(enrolment(mesh.network.b, "b", {}));
  const again = await connectFromPod(mesh.network.a, mesh.network.b.v4, PORT);
  expect(await nextText(again)).toContain("hello");
  again.destroy();
});

test("traffic: a server with the right CA and another identity is refused, and gets no plaintext", async () => {
  mesh.put(workload(mesh.network.b, "b", { serviceAccount: "someone-else" }));
  const seen = accepted.length;
  const socket = startFromPod(mesh.network.a, mesh.network.b.v4, PORT);
  await once(socket, "error");
  expect(mesh.a.ended.at(-1)?.outcome.code).toBe("tunnel_wrong_identity");
  expect(accepted.length).toBe(seen);
  mesh.put(workload(mesh.network.b, "b", {}));
});

test("traffic: plaintext is refused under STRICT and taken under PERMISSIVE", async () => {
  mesh.put(workload(mesh.network.b, "b", { tunnel: false }));
  const refused = startFromPod(mesh.network.a, mesh.network.b.v4, PORT);
  await once(refused, "error");
  expect(mesh.b.ended.at(-1)?.outcome.code).toBe("plaintext_refused");
  mesh.put(enrolment(mesh.network.b, "b", { modes: { default: "PERMISSIVE", ports: [] } }));
  const taken = await connectFromPod(mesh.network.a, mesh.network.b.v4, PORT);
  expect(await nextText(taken)).toBe(`hello ${mesh.network.a.v4}`);
  const closed = once(taken, "error");
  mesh.put(enrolment(mesh.network.b, "b", {}));
  await closed;
  expect(mesh.b.ended.at(-1)?.outcome.code).toBe("plaintext_refused");
  mesh.put(workload(mesh.network.b, "b", {}));
});

test("traffic: a change of root ends the tunnels that it no longer vouches for", async () => {
  const socket = await connectFromPod(mesh.network.a, mesh.network.b.v4, PORT);
  await nextText(socket);
  const closed = once(socket, "error");
  const other = createCraftedRoot("other root");
  mesh.put({
    kind: "bundle",
    value: { trustDomain: "cluster.local", roots: [other.der], issuer: "", retired: [] },
  });
  const [error] = (await closed) as [NodeJS.ErrnoException];
  expect(error.code).toBe("ECONNRESET");
  mesh.put({
    kind: "bundle",
    value: { trustDomain: "cluster.local", roots: [mesh.root.der], issuer: "", retired: [] },
  });
});
