import { afterEach, beforeEach, expect, jest, test } from "@jest/globals";
import { pino } from "pino";
import { KubeObjectServer } from "../../test/fakes/kube-object-server.ts";
import { type CaChange, CaEvents } from "./ca-events.ts";

const DAY_MS = 24 * 3_600_000;
const START_MS = Date.UTC(2030, 0, 1, 23);
const FAR = { rootMs: START_MS + 4000 * DAY_MS, intermediateMs: START_MS + 300 * DAY_MS };
const QUIET: CaChange = { change: "none", isEnding: false };

let server: KubeObjectServer;
let events: CaEvents;

beforeEach(async () => {
  jest.useFakeTimers({ now: START_MS, doNotFake: ["nextTick", "setTimeout", "setImmediate"] });
  server = new KubeObjectServer();
  await server.start();
  events = createEvents();
});

afterEach(async () => {
  jest.useRealTimers();
  await server.stop();
});

function createEvents(): CaEvents {
  const log = pino({ enabled: false });
  return new CaEvents({ api: server.client(), namespace: "weft-system", log });
}

function told(): readonly unknown[] {
  return server.writes.map(({ body }) => `${String(body["type"])} ${String(body["reason"])}`);
}

test("tell(): a CA that holds is not worth an Event, a renewed intermediate is, about the Secret", async () => {
  await events.tell(QUIET, FAR);
  expect(server.writes).toEqual([]);
  await events.tell({ change: "renewed", isEnding: false }, FAR);
  expect(told()).toEqual(["Normal CertificateRenewed"]);
  expect(server.writes[0]?.path).toBe("/api/v1/namespaces/weft-system/events");
  expect(server.writes[0]?.body["involvedObject"]).toEqual({
    apiVersion: "v1",
    kind: "Secret",
    namespace: "weft-system",
    name: "weft-ca",
  });
});

test("tell(): an intermediate that ends is a warning once a day, whichever replica leads", async () => {
  const ending: CaChange = { change: "none", isEnding: true };
  await events.tell(ending, FAR);
  await events.tell(ending, FAR);
  await createEvents().tell(ending, FAR);
  expect(told()).toEqual(["Warning CertificateExpiring"]);
  jest.setSystemTime(START_MS + 2 * 3_600_000);
  await events.tell(ending, FAR);
  expect(told()).toHaveLength(2);
  expect(String(server.writes[1]?.body["message"])).toContain("2030-10-28");
});

test("tell(): a root warns in its last year, and once where it signs itself", async () => {
  const rootMs = START_MS + 364 * DAY_MS;
  await events.tell(QUIET, { ...FAR, rootMs: START_MS + 366 * DAY_MS });
  expect(told()).toEqual([]);
  await events.tell({ change: "none", isEnding: true }, { rootMs, intermediateMs: rootMs });
  expect(told()).toEqual(["Warning CertificateExpiring"]);
  expect(String(server.writes[0]?.body["message"])).toContain("weftctl ca rotate root");
});

test("tell(): what could not be written is tried again", async () => {
  server.isFailing = true;
  await events.tell({ change: "none", isEnding: true }, FAR);
  server.isFailing = false;
  await events.tell({ change: "none", isEnding: true }, FAR);
  expect(told()).toEqual(["Warning CertificateExpiring"]);
});
