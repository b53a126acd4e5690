import { generateKeyPairSync } from "node:crypto";
import { expect, test } from "@jest/globals";
import { KeyFetchError } from "./key-fetch-error.ts";
import { RemoteKeys } from "./remote-keys.ts";

const { publicKey } = generateKeyPairSync("ed25519");

function setOf(kid: string): string {
  return JSON.stringify({ keys: [{ ...publicKey.export({ format: "jwk" }), kid }] });
}

/** Keys whose clock and whose issuer the test moves. */
class World {
  nowMs = 1_000_000;
  text: string | undefined = setOf("a");
  fetched = 0;
  readonly failures: string[] = [];
  readonly keys = new RemoteKeys({
    fetch: () => {
      this.fetched += 1;
      return this.text === undefined
        ? Promise.reject(new KeyFetchError("unreachable", "down"))
        : Promise.resolve(this.text);
    },
    onFailed: ({ reason }) => this.failures.push(reason),
    now: () => this.nowMs,
    random: () => 0.5,
  });

  async ids(): Promise<readonly (string | undefined)[] | undefined> {
    return (await this.keys.keys())?.map(({ keyId }) => keyId);
  }
}

/** Until what was begun in the background is done. */
async function settle(): Promise<void> {
  for (let i = 0; i < 10; i += 1) await Promise.resolve();
}

test("RemoteKeys: asks once, however many wait, and again after five minutes while the old ones serve", async () => {
  const world = new World();
  await Promise.all(Array.from({ length: 20 }, () => world.ids()));
  expect(world.fetched).toBe(1);
  world.nowMs += 299_999;
  world.text = setOf("b");
  expect(await world.ids()).toEqual(["a"]);
  expect(world.fetched).toBe(1);
  world.nowMs += 1;
  expect(await world.ids()).toEqual(["a"]);
  await settle();
  expect(await world.ids()).toEqual(["b"]);
  expect(world.fetched).toBe(2);
});

test("RemoteKeys: without the issuer the last good keys serve for an hour, then none", async () => {
  const world = new World();
  await world.ids();
  world.text = undefined;
  world.nowMs += 3_599_999;
  expect(await world.ids()).toEqual(["a"]);
  await settle();
  expect(world.failures).toEqual(["unreachable"]);
  world.nowMs += 120_000;
  expect(await world.ids()).toBeUndefined();
  world.text = setOf("b");
  world.nowMs += 120_000;
  expect(await world.ids()).toEqual(["b"]);
});

test("RemoteKeys: waits longer after each failure, a minute at most", async () => {
  const world = new World();
  world.text = undefined;
  const waits: number[] = [];
  let last = world.nowMs;
  while (waits.length < 9) {
    const before = world.fetched;
    expect(await world.ids()).toBeUndefined();
    if (world.fetched > before) {
      waits.push(world.nowMs - last);
      last = world.nowMs;
    }
    world.nowMs += 500;
  }
  expect(waits.slice(0, 7)).toEqual([0, 1_000, 2_000, 4_000, 8_000, 16_000, 32_000]);
  expect(waits.slice(7)).toEqual([60_000, 60_000]);
});

test("RemoteKeys: a set without a usable key is no set, and the one before stays", async () => {
  const world = new World();
  await world.ids();
  world.nowMs += 300_000;
  world.text = '{"keys":[]}';
  await world.ids();
  await settle();
  expect(await world.ids()).toEqual(["a"]);
  expect(world.failures).toEqual(["no_keys"]);
});

test("RemoteKeys: asks for newer keys at most every 30 seconds, whatever tokens name", async () => {
  const world = new World();
  await world.ids();
  for (let i = 0; i < 100; i += 1) await world.keys.newerKeys();
  expect(world.fetched).toBe(1);
  world.nowMs += 30_000;
  world.text = setOf("b");
  const newer = await Promise.all([world.keys.newerKeys(), world.keys.newerKeys()]);
  expect(newer.map((keys) => keys?.map(({ keyId }) => keyId))).toEqual([["b"], ["b"]]);
  expect(world.fetched).toBe(2);
});
