/** A pod is gone and another has its address at once: whoever meant the first never speaks to the second, and the second is reached as itself. */
import { once } from "node:events";
import type { Server, Socket } from "node:net";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { type ResourceBody, type ResourceRef, resourceName } from "../../core/model/resource.ts";
import { connectFromPod, listenInPod, nextText, startFromPod } from "./pod-network.ts";
import {
  createTrafficMesh,
  enrolment,
  type TrafficMesh,
  type TrafficNode,
  workload,
} from "./traffic-mesh.ts";

const PORT = 8080;
let mesh: TrafficMesh;
let server: Server;
const accepted: Socket[] = [];

beforeAll(async () => {
  mesh = await createTrafficMesh("wt-hands");
  server = await listenInPod(mesh.network.b, { port: PORT, family: 4 }, (socket) => {
    accepted.push(socket);
    socket.on("error", () => undefined).on("end", () => socket.end());
    socket.write("hello");
  });
});

afterAll(async () => {
  for (const socket of accepted) socket.destroy();
  await once(server.close(), "close");
  await mesh[Symbol.asyncDispose]();
});

/** What one node alone is told. */
function tell(node: TrafficNode, body: ResourceBody, removals: readonly ResourceRef[] = []): void {
  const upserts = [{ name: resourceName(body), version: "2", body }];
  node.traffic.onMessage({ kind: "changes", changes: { upserts, removals } }, []);
}

/** "" where it is refused. */
function answerTo(socket: Socket): Promise<string> {
  return new Promise((resolve) => {
    socket.on("data", (chunk: Buffer) => resolve(chunk.toString()));
    socket.on("error", () => resolve(""));
    socket.on("close", () => resolve(""));
  });
}

test("an address that changes hands: nothing that was meant for the pod before reaches the next, told or not", async () => {
  const { a, b } = mesh.network;
  const first = await connectFromPod(a, b.v4, PORT);
  expect(await nextText(first)).toBe("hello");
  // The second is there: node b serves its identity, and node a has not heard of it.
  mesh.leaf(mesh.b, "c");
  tell(mesh.b, enrolment(b, "b", { serviceAccount: "c", name: "c" }));
  const known = accepted.length;
  const stale = startFromPod(a, b.v4, PORT);
  const answer = await answerTo(stale);
  // By the old tunnel, whose ends had proven to be the first; or none: a new one would prove to be the second.
  expect(["hello", ""]).toContain(answer);
  expect(accepted.length - known).toBe(answer === "hello" ? 1 : 0);
  // The news: the first is gone, the second has the address.
  first.on("error", () => undefined);
  const cut = new Promise((resolve) => {
    first.once("close", resolve);
  });
  tell(mesh.a, workload(b, "c", {}), [{ kind: "workload", name: "uid-b" }]);
  await cut;
  const second = await connectFromPod(a, b.v4, PORT);
  expect(await nextText(second)).toBe("hello");
  const ended = mesh.a.nextEnded();
  second.end();
  expect((await ended).facts.destination.identity).toBe("spiffe://cluster.local/ns/shop/sa/c");
  stale.destroy();
});
