import { afterEach, beforeEach, expect, jest, test } from "@jest/globals";
import { awaitServable } from "./await-servable.ts";

beforeEach(() => void jest.useFakeTimers());
afterEach(() => void jest.useRealTimers());

function start(uids: readonly string[]) {
  const stop = new AbortController();
  const configuration = {
    isKnown: false,
    known: ["a"],
    identities: () => configuration.known.map((uid) => [uid] as const),
  };
  const stream = { state: "connected" };
  const served = new Set<string>();
  const certificates = { isServed: (uid: string) => served.has(uid) };
  let outcome = "waits";
  awaitServable(uids, { configuration, stream, certificates, signal: stop.signal }).then(
    () => {
      outcome = "servable";
    },
    () => {
      outcome = "stopped";
    },
  );
  async function after(ms: number): Promise<string> {
    await jest.advanceTimersByTimeAsync(ms);
    return outcome;
  }
  return { configuration, stream, served, stop, after };
}

test("awaitServable(): where nothing was taken, at once", async () => {
  expect(await start([]).after(0)).toBe("servable");
});

test("awaitServable(): the operator's last word and the certificate", async () => {
  const { configuration, stream, served, after } = start(["a"]);
  configuration.isKnown = true;
  expect(await after(100)).toBe("waits");
  stream.state = "synced";
  expect(await after(100)).toBe("waits");
  served.add("a");
  expect(await after(100)).toBe("servable");
});

test("awaitServable(): an operator that is away is waited for briefly, where a snapshot is known", async () => {
  const { configuration, served, after } = start(["a"]);
  configuration.isKnown = true;
  served.add("a");
  expect(await after(2_900)).toBe("waits");
  expect(await after(200)).toBe("servable");
});

test("awaitServable(): without any configuration it waits for ever", async () => {
  const { served, stop, after } = start(["a"]);
  served.add("a");
  expect(await after(3_600_000)).toBe("waits");
  stop.abort();
  expect(await after(100)).toBe("stopped");
});

test("awaitServable(): a pod that gets no certificate does not hold up the others for ever, one that is none of the mesh not at all", async () => {
  const { configuration, stream, after } = start(["a", "b"]);
  configuration.isKnown = true;
  stream.state = "synced";
  expect(await after(9_900)).toBe("waits");
  expect(await after(200)).toBe("servable");
  const other = start(["b"]);
  other.configuration.isKnown = true;
  other.stream.state = "synced";
  expect(await other.after(100)).toBe("servable");
});
