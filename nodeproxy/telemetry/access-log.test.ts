import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "@jest/globals";
import fc from "fast-check";
import type { ConnectionFacts, ConnectionOutcome } from "../flow/connection-facts.ts";
import { createAccessLog, formatAccessLine } from "./access-log.ts";

const NOW = Date.UTC(2026, 0, 2, 3, 4, 5, 678);
const CLOSED: ConnectionOutcome = { code: "", carried: true, bytesSent: 1, bytesReceived: 2 };

function factsWith(text: string): ConnectionFacts {
  const party = { namespace: text, name: text, owner: text, identity: text };
  return {
    direction: "inbound",
    sinceMs: NOW - 9,
    pod: "uid",
    source: party,
    sourceAddress: text,
    destination: party,
    destinationAddress: text,
    upstreamAddress: text,
    service: text,
    tunnelled: true,
  };
}

function parsed(text: string, outcome: ConnectionOutcome): Record<string, unknown> {
  const line = formatAccessLine(factsWith(text), outcome, NOW);
  expect(line.indexOf("\n")).toBe(line.length - 1);
  return JSON.parse(line) as Record<string, unknown>;
}

test("formatAccessLine(): a line holds what is known of the connection, in the order of reading", () => {
  expect(Object.entries(parsed("name", CLOSED))).toEqual([
    ["level", "info"],
    ["time", "2026-01-02T03:04:05.678Z"],
    ["direction", "inbound"],
    ["source", "name"],
    ["sourceWorkload", "name/name"],
    ["sourceIdentity", "name"],
    ["destination", "name"],
    ["destinationWorkload", "name/name"],
    ["destinationIdentity", "name"],
    ["service", "name"],
    ["upstream", "name"],
    ["tunnelled", true],
    ["code", ""],
    ["bytesSent", 1],
    ["bytesReceived", 2],
    ["durationMs", 9],
    ["msg", "connection"],
  ]);
});

test("formatAccessLine(): policy and rule stand in the line where one decided", () => {
  const denied = { ...CLOSED, code: "denied_by_policy", policy: "shop/deny", rule: 0 };
  expect(parsed("name", denied)).toMatchObject({
    code: "denied_by_policy",
    policy: "shop/deny",
    rule: 0,
  });
});

test("formatAccessLine(): a denial that is kept is named", () => {
  const denied = { ...CLOSED, code: "not_allowed", denial: "0a1b2c-0123456789ab" };
  expect(parsed("name", denied)).toMatchObject({ denial: "0a1b2c-0123456789ab" });
});

test("formatAccessLine(): audited rules stand in the line where there are any", () => {
  const match = { policy: "shop/audit", rule: 1, action: "AUDIT", dryRun: false } as const;
  const watched = { ...factsWith("name"), watched: { matches: [match] } };
  const line = JSON.parse(formatAccessLine(watched, CLOSED, NOW)) as Record<string, unknown>;
  expect(line["audited"]).toEqual([{ policy: "shop/audit", rule: 1, action: "AUDIT" }]);
  const none = { ...factsWith("name"), watched: { matches: [] } };
  expect(formatAccessLine(none, CLOSED, NOW)).toBe(
    formatAccessLine(factsWith("name"), CLOSED, NOW),
  );
});

test("formatAccessLine(): whatever a text holds, it is one line of JSON with that text in it", () => {
  const examples = ['"', "\\", "\n", "\u007f", "\u2028", "é", ""].map((text): [string] => [text]);
  fc.assert(
    fc.property(fc.string({ unit: "binary-ascii" }), (text) => {
      const line = parsed(text, { ...CLOSED, code: text, policy: text });
      const same = [line["source"], line["service"], line["code"], line["policy"]];
      expect(same).toEqual([text, text, text, text]);
    }),
    { examples },
  );
});

test("createAccessLog(): lines of many batches are written in their order once it is closed", async () => {
  const folder = mkdtempSync(join(tmpdir(), "weft-access-log-"));
  const file = join(folder, "access.log");
  const accessLog = createAccessLog({ file, onDropped: () => undefined });
  const names = Array.from({ length: 1000 }, (_, i) => String(i));
  for (const name of names) accessLog.write(factsWith(name), CLOSED);
  await accessLog.close();
  const lines = readFileSync(file, "utf8").trimEnd().split("\n");
  expect(lines.map((line) => (JSON.parse(line) as { service: string }).service)).toEqual(names);
  rmSync(folder, { recursive: true });
});
