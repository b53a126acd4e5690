/** gRPC's own client and server for Node, and a WebSocket chat, each a process in its pod, through two node proxies that both read. */
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { createProgramMesh, type ProgramMesh } from "./program-mesh.ts";
import type { ChatReport } from "./programs/chat-caller.ts";
import type { CallerReport } from "./programs/grpc-caller.ts";

const SERVERS = [
  { name: "talk", port: 8081, version: "http2" },
  { name: "chat", port: 8082, version: "http1" },
] as const;
let world: ProgramMesh;

beforeAll(async () => {
  world = await createProgramMesh("wt-talks", SERVERS);
  for (const [file, port] of [
    ["grpc-server", 8081],
    ["chat-server", 8082],
  ] as const) {
    await world.start([process.execPath, program(file), `${port}`], [port]);
  }
});

afterAll(async () => {
  await world[Symbol.asyncDispose]();
});

function program(name: string): string {
  return new URL(`./programs/${name}.ts`, import.meta.url).pathname;
}

/** What the caller printed. */
async function run(caller: string, server: string): Promise<unknown> {
  const command = [process.execPath, program(caller), world.addressOf(server)];
  const { code, stdout, stderr } = await world.run(command);
  expect([code, stderr]).toEqual([0, ""]);
  return JSON.parse(stdout);
}

test("gRPC: calls of all four kinds, their metadata, failures, deadlines and cancels", async () => {
  const report = (await run("grpc-caller", "talk")) as CallerReport;
  expect(report).toEqual({
    echo: { text: "hello", header: ["once, twice"], trailer: [[0, 255, 10, 13]] },
    large: true,
    count: { answers: 2_000, last: "2000" },
    sum: "2000000",
    chat: Array.from({ length: 20 }, (_, i) => `you said ${i}`),
    failed: [3, 5, 8, 14, 16].map((code) => `${code} as you like: ü asked for`),
    // DEADLINE_EXCEEDED, and CANCELLED by the caller, of which the server has heard.
    late: 4,
    lateStream: 4,
    cancelled: ["without end 1", "in time 1"],
    cancelsSeen: expect.stringMatching(/^[23]$/),
    atOnce: 200,
  });
  // Both nodes have read each call.
  for (const { ended } of [world.mesh.a, world.mesh.b]) {
    expect(ended.filter(({ facts }) => facts.request).length).toBeGreaterThan(200);
  }
});

test("WebSocket: a chat both ways, large and small, with pings and every way to leave", async () => {
  const report = (await run("chat-caller", "chat")) as ChatReport;
  expect(report).toEqual({
    protocol: "chat.v2",
    extensions: "permessage-deflate",
    welcome: "welcome ann",
    heard: Array.from({ length: 10 }, (_, i) => [
      `ann ${i}`,
      `ann ${i}`,
      `bob ${i}`,
      `bob ${i}`,
    ]).flat(),
    large: true,
    pong: "are you there",
    // 1006: the connection ended without a word.
    left: ["bob left: 4001 good bye", "cat left: 1006 "],
    thrownOut: "4002 thrown out",
    stranger: "401 unknown",
  });
});
