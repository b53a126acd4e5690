/**
 * Attacks of group E of the list of attacks that take more than one step: by windows, stalled bodies, tables and GOAWAY,
 * through two node proxies. What is refused at once is in `attacks-streams.test.ts`.
 */
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "@jest/globals";
import { HpackDecoder } from "../../nodeproxy/http2/hpack-decoder.ts";
import { until } from "../world/until.ts";
import {
  ACK,
  ask,
  BIG,
  CountedStreams,
  data,
  FIRST_PLACE,
  GOAWAY,
  HIGHEST,
  LONG,
  post,
  requestBlock,
  SETTING,
  settings,
  WHOLE,
  widen,
} from "./counted-streams.ts";
import { END_HEADERS, END_STREAM, FRAME, frame, type RawHttp2 } from "./raw-http2.ts";
import { FRONTS, type Front } from "./two-fronts.ts";

/** Of 20 KB. */
const HEADS = 30;
let app: CountedStreams;

beforeAll(async () => {
  app = await CountedStreams.start("wa-window");
});

beforeEach(() => {
  app.clear();
});

afterEach(async () => {
  for (const front of FRONTS) await stillServes(front);
  await app.leave();
});

afterAll(async () => {
  await app[Symbol.asyncDispose]();
});

async function stillServes(front: Front): Promise<void> {
  expect(await app.next(front)).toEqual([200, "/next"]);
}

/** Octets of DATA that came on the stream. */
function received(raw: RawHttp2, stream: number): number {
  const octets = raw.frames.map((one) =>
    one.type === FRAME.data && one.stream === stream ? one.payload.length : 0,
  );
  return octets.reduce((sum, some) => sum + some, 0);
}

async function receivedAll(raw: RawHttp2, stream: number, octets: number): Promise<void> {
  await raw.first(() => (received(raw, stream) >= octets ? true : undefined));
  expect(received(raw, stream)).toBe(octets);
}

function block(stream: number, ...parts: readonly Buffer[]): Buffer {
  return frame([FRAME.headers, WHOLE, stream], Buffer.concat(parts));
}

test.each(FRONTS)(
  "attack 55: a body of another length is no request, at the %s's node",
  async (front) => {
    const raw = app.attacker(front);
    const length = [["content-length", "5"]] as const;
    raw.send(post(1, "/less", length), data(1, "1234", END_STREAM));
    raw.send(post(3, "/more", length), data(3, "12345"), data(3, "6", END_STREAM));
    raw.send(post(5, "/none", length), frame([FRAME.data, END_STREAM, 5]));
    raw.send(post(7, "/right", length), data(7, "12345", END_STREAM));
    for (const stream of [1, 3, 5]) expect(await raw.answer(stream)).toBe("reset 1");
    expect(await raw.answer(7)).toBe(200);
    expect(app.whole).toEqual(["/right 12345"]);
  },
);

test.each(FRONTS)(
  "attack 64: a table is that of the caller, whatever was refused, at the %s's node",
  async (front) => {
    const raw = app.attacker(front);
    raw.send(block(1, requestBlock("/"), LONG, Buffer.alloc(10_000).fill(FIRST_PLACE)));
    expect(await raw.answer(1)).toBe("reset 11");
    raw.send(block(3, requestBlock("/"), FIRST_PLACE));
    expect(await raw.answer(3)).toBe(200);
    expect(app.longFields).toEqual([3_900]);
    // Emptied and filled again by each of many.
    const sizes = Buffer.of(0x20, 0x3f, 0xe1, 0x1f);
    const last = 2 * 600 + 3;
    for (let stream = 5; stream <= last; stream += 2) {
      raw.send(block(stream, sizes, requestBlock("/"), LONG, FIRST_PLACE));
    }
    expect(await raw.answer(last)).toBe(200);
    raw.send(block(last + 2, Buffer.of(0x20), requestBlock("/"), FIRST_PLACE));
    expect(await raw.answer(1_000_001)).toBe("goaway 9");
  },
);

test.each(FRONTS)(
  "attack 64: the proxy's own table shrinks when its caller's does, at the %s's node",
  async (front) => {
    const raw = app.attacker(front);
    const decoder = new HpackDecoder({ bytes: 65_536, fields: 100 });
    const sizes = [0, 4_096, 2 ** 32 - 1, 1, 0, 100];
    for (const [i, size] of sizes.entries()) {
      const stream = 2 * i + 1;
      raw.send(
        settings(SETTING.tableSize, 0),
        settings(SETTING.tableSize, size),
        ask(stream, "/big"),
      );
      const payload = await raw.first((one) =>
        one.type === FRAME.headers && one.stream === stream ? one.payload : undefined,
      );
      const { fields } = decoder.decode(payload ?? Buffer.of(0xff));
      expect(fields.slice(0, 2)).toEqual([":status", "200"]);
    }
  },
);

test.each(FRONTS)(
  "attack 66: a window that shrinks below 0 takes as many octets as it lacks, at the %s's node",
  async (front) => {
    const raw = app.attacker(front).send(widen(0, BIG), ask(1, "/big"));
    await receivedAll(raw, 1, 65_535);
    raw.send(settings(SETTING.window, 0), widen(1, 65_535));
    await raw.ping();
    expect(received(raw, 1)).toBe(65_535);
    raw.send(widen(1, 10));
    await receivedAll(raw, 1, 65_545);
    raw.send(settings(SETTING.window, 2 ** 20));
    await receivedAll(raw, 1, BIG);
  },
);

test.each(FRONTS)(
  "attack 65: a window that widens by 1 for ever costs nobody else, at the %s's node",
  async (front) => {
    const raw = app.attacker(front).send(settings(SETTING.window, 0), ask(1, "/big"));
    expect(await raw.answer(1)).toBe(200);
    await raw.flood(100_000, () => widen(1, 1));
    // It is let, or it is ended: that depends on how fast it comes.
    await Promise.race([raw.ping(), raw.closed()]);
    expect(app.whole).toEqual(["/big "]);
  },
);

test.each(FRONTS)(
  "attack 67: 10,000 answers that nobody reads are not fetched, at the %s's node",
  async (front) => {
    const raw = app.attacker(front).send(settings(SETTING.window, 0));
    const before = app.taken;
    await raw.flood(10_000, (i) => ask(2 * i + 1, "/big"));
    await until("answers to wait", () => app.taken >= before + 4 * BIG || undefined);
    // Those of one connection, of the 10 GB that were asked for.
    expect(app.seen.filter((path) => path === "/big").length).toBeLessThanOrEqual(1_000);
    expect(app.taken - before).toBeLessThan(100 * BIG);
    // Nor do they stand before others; at the caller's node those of one pod share a session, and its room.
    for (const other of front === "called" ? FRONTS : []) {
      const reader = app.attacker(other).send(widen(0, BIG), settings(SETTING.window, BIG));
      await receivedAll(reader.send(ask(1, "/big")), 1, BIG);
    }
    app.hangUp();
    // Node's own server resets streams, or ends the connection, as long as it has what it kept for the others.
    for (const other of FRONTS) {
      await until("the application to take requests again", async () => {
        const status = await app.attacker(other).send(ask(1, "/again")).answer(1);
        return status === 200 || undefined;
      });
    }
  },
);

test.each(FRONTS)(
  "attack 68: what runs when its caller says GOAWAY is answered, and then it ends, at the %s's node",
  async (front) => {
    const raw = app.attacker(front).send(post(1, "/late"));
    await until("the request", () => app.seen.includes("/late") || undefined);
    raw.send(GOAWAY, settings(SETTING.maxStreams, 0), GOAWAY, data(1, "still", END_STREAM));
    expect([await raw.answer(1), await raw.text(1)]).toEqual([200, "/late"]);
    await raw.closed();
    expect(app.whole).toEqual(["/late still"]);
  },
);

test.each(FRONTS)(
  "attack 68: a server that says GOAWAY and takes no more is asked again by a new connection, at the %s's node",
  async (front) => {
    const raw = app.attacker(front).send(ask(1, "/goaway"));
    expect(await raw.answer(1)).toBe(200);
    expect(await raw.send(ask(3, "/later")).answer(3)).toBe(200);
    expect(app.whole).toEqual(["/goaway ", "/later "]);
  },
);

test.each(FRONTS)(
  "attack 70: heads that do not end, and those of bodies that do not, hold nobody up, at the %s's node",
  async (front) => {
    const long = [["x-long", "v".repeat(20_000)]] as const;
    const head = requestBlock("/stalled", long).subarray(0, 16_000);
    for (let i = 0; i < 50; i += 1) app.attacker(front).send(frame([FRAME.headers, 0, 1], head));
    await stillServes(front);
    expect(app.seen).not.toContain("/stalled");
    const raw = app.attacker(front);
    await raw.flood(HEADS, (i) => longPost(2 * i + 1));
    await until("all heads", () => app.seen.length > HEADS || undefined);
    await stillServes(front);
    raw.send(data(1, "end", END_STREAM));
    expect(await raw.answer(1)).toBe(200);
  },
);

function longPost(stream: number): Buffer {
  const fields = [["x-long", "v".repeat(20_000)]] as const;
  const head = requestBlock("/body", fields, "POST");
  const rest = frame([FRAME.continuation, END_HEADERS, stream], head.subarray(16_000));
  return Buffer.concat([frame([FRAME.headers, 0, stream], head.subarray(0, 16_000)), rest]);
}

test.each(FRONTS)(
  "attack 72: octet by octet it is a request as any, at the %s's node",
  async (front) => {
    const raw = app.attacker(front);
    for (const octet of post(1, "/slow")) raw.send(Buffer.of(octet));
    for (let i = 0; i < 50; i += 1) {
      for (const octet of data(1, "a")) raw.send(Buffer.of(octet));
      await raw.ping();
    }
    await stillServes(front);
    expect(app.whole).toEqual(["/next "]);
    raw.send(data(1, "b", END_STREAM));
    expect(await raw.answer(1)).toBe(200);
    expect(app.whole).toEqual(["/next ", `/slow ${"a".repeat(50)}b`]);
  },
);

test.each(FRONTS)(
  "attack 73: the last of all streams is served, and its connection ends in order, at the %s's node",
  async (front) => {
    const raw = app.attacker(front).send(ask(HIGHEST, "/last"));
    expect(await raw.answer(HIGHEST)).toBe(200);
    expect(await raw.text(HIGHEST)).toBe("/last");
    raw.send(GOAWAY);
    await raw.closed();
  },
);

test.each(FRONTS)(
  "attack 75: who acknowledges twice is served, and who never does, at the %s's node",
  async (front) => {
    const twice = app.attacker(front).send(ACK, ACK, ask(1));
    const never = app.attacker(front);
    expect(await twice.answer(1)).toBe(200);
    for (const stream of [1, 3, 5]) {
      never.send(settings(SETTING.window, 65_535), ask(stream));
      expect(await never.answer(stream)).toBe(200);
    }
  },
);
