/**
 * Half-close, FIN and RST, one to one, in every order and over every way: what both applications see is compared with
 * a direct connection, where the kernel alone decides.
 */
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { until } from "../world/until.ts";
import { DIFFERENT, ORDERS } from "./life/orders.ts";
import { connectRaw, listenRaw, type RawSocket } from "./life/raw-socket.ts";
import { play, type Told, type Way } from "./life/script.ts";
import { closeNode, openNode, type TestPod } from "./pod-network.ts";
import { createTrafficMesh, enrolment, type TrafficMesh, workload } from "./traffic-mesh.ts";

const PREFIX = "wt-life";
let mesh: TrafficMesh;
let node: TestPod;
/** By an order's name, from the first test on. */
const direct = new Map<string, Told>();

beforeAll(async () => {
  mesh = await createTrafficMesh(PREFIX);
  node = openNode(PREFIX, ["10.77.0.1", "fd77::1"]);
  mesh.put(
    enrolment(mesh.network.b, "b", { modes: { default: "PERMISSIVE", ports: [] } }),
    workload(mesh.network.b, "b", { modes: { default: "PERMISSIVE", ports: [] } }),
  );
});

afterAll(async () => {
  closeNode(node);
  await mesh[Symbol.asyncDispose]();
});

const WAYS: Readonly<Record<string, () => Way>> = {
  "by a tunnel, through two proxies": () => {
    const { a: client, b: server } = mesh.network;
    return { client, server, host: server.v4 };
  },
  "out in plaintext, through one proxy": () => {
    return { client: mesh.network.a, server: node, host: node.v4 };
  },
  "in in plaintext, through one proxy": () => {
    const { b: server } = mesh.network;
    return { client: node, server, host: server.v4 };
  },
};

for (const order of ORDERS) {
  test(`direct: ${order.name}`, async () => {
    const told = await play(order.steps, { client: node, server: node, host: node.v4 });
    direct.set(order.name, told);
    expect(told).toEqual(order.told);
  });
}

for (const [way, ends] of Object.entries(WAYS)) {
  for (const { name, steps } of ORDERS) {
    test(`${way}: ${name}`, async () => {
      const different = DIFFERENT.get(`${way}: ${name}`);
      const told = await play(steps, { ...ends(), isUnreached: different?.server === "" });
      expect(told).toEqual(different ?? direct.get(name));
    });
  }
}

// A proxy has to take the connection before it can know where it goes: what the kernel says of a connect comes later.
test("a port that nobody listens on: direct, the connect fails; by a tunnel, it is reset at once", async () => {
  const { a, b } = mesh.network;
  const plain = connectRaw(node, node.v4, 19_999);
  expect(await firstSeen(plain)).toBe("ECONNREFUSED");
  const tunnelled = connectRaw(a, b.v4, 19_999);
  expect(await firstSeen(tunnelled)).toBe("ECONNRESET");
  for (const socket of [plain, tunnelled]) socket.close();
});

/** An application that takes no more: its queue is full, and the kernel answers no SYN. */
function listenFull(port: number): {
  readonly free: () => RawSocket | undefined;
  close: () => void;
} {
  const { b } = mesh.network;
  const listener = listenRaw(b, port, { backlog: 0 });
  const first = connectRaw(b, "127.0.0.1", port);
  return {
    free: () => listener.accept(),
    close: () => {
      first.close();
      listener.close();
    },
  };
}

test("FIN while the application is still being reached comes to it behind the bytes", async () => {
  const full = listenFull(19_998);
  const client = connectRaw(mesh.network.a, mesh.network.b.v4, 19_998);
  await until("the caller is connected", () => client.isConnected || undefined);
  client.write(5);
  client.end();
  // Longer than the handshake of a tunnel; the kernel asks again a second after its first SYN.
  await until("the first caller", () => full.free());
  const server = await until("the second caller", () => full.free());
  expect([await firstSeen(server), await firstSeen(server)]).toEqual([5, "fin"]);
  server.write(7);
  server.close();
  expect([await firstSeen(client), await firstSeen(client)]).toEqual([7, "fin"]);
  client.close();
  full.close();
});

test("an application that cannot be reached in time: the caller is reset after 10 s", async () => {
  const full = listenFull(19_997);
  const sinceMs = performance.now();
  const client = connectRaw(mesh.network.a, mesh.network.b.v4, 19_997);
  expect(await firstSeen(client)).toBe("ECONNRESET");
  expect(performance.now() - sinceMs).toBeGreaterThan(9_000);
  expect(mesh.b.ended.at(-1)?.outcome.code).toBe("connect_timeout");
  client.close();
  full.close();
});

async function firstSeen(socket: RawSocket): Promise<number | string> {
  return until("something to be read", () => {
    const seen = socket.read();
    return seen === "nothing" ? undefined : seen;
  });
}
