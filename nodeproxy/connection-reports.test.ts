import { expect, test } from "@jest/globals";
import type { OpenConnection } from "./channel/messages.ts";
import { ConnectionReports } from "./connection-reports.ts";

const CONNECTION: OpenConnection = {
  id: 1,
  direction: "outbound",
  workload: "w",
  peer: "",
  source: "10.0.0.1:1",
  destination: "10.0.0.2:2",
  tunnelled: true,
  sinceMs: 0,
  bytesSent: 0,
  bytesReceived: 0,
};

/** Ticks each second, with a change before each; how many connections each tick told of. */
function toldIn(seconds: number, openConnections: number): readonly number[] {
  const told: number[] = [];
  const connections = {
    changes: 0,
    list: (limit: number) =>
      Array.from({ length: Math.min(limit, openConnections) }, () => CONNECTION),
  };
  const reports = new ConnectionReports(connections, (open) => told.push(open.length));
  for (let second = 0; second < seconds; second += 1) {
    connections.changes += 1;
    reports.tick(second * 1_000);
    // Nothing changed.
    reports.tick(second * 1_000);
  }
  return told;
}

test("ConnectionReports: few connections are told of at each tick after a change, and only then", () => {
  expect(toldIn(5, 100)).toEqual([100, 100, 100, 100, 100]);
});

test("ConnectionReports: ten thousand idle connections do not cost more than the load", () => {
  expect(toldIn(60, 10_000)).toEqual([10_000, 10_000, 10_000]);
  expect(toldIn(40, 100_000)).toEqual([10_000, 10_000]);
});
