/** Ejection by answers, all of it in simulated time. */
import { expect, test } from "@jest/globals";
import type { AnswerOutliers } from "../../core/model/http-settings.ts";
import type { OutlierSettings } from "../../core/model/traffic-settings.ts";
import { anyMember } from "../../test/fakes/any-member.ts";
import { LocalHealths, type Member } from "./member.ts";
import { Outliers } from "./outliers.ts";

const LIMITS: OutlierSettings = {
  consecutiveFailures: 5,
  baseEjectionMs: 30_000,
  maxEjectionPercent: 100,
  minHealthPercent: 0,
};
const OFF: AnswerOutliers = {
  consecutive5xx: 0,
  consecutiveGatewayErrors: 0,
  intervalMs: 10_000,
  successRate: undefined,
  failurePercentage: undefined,
};

class World {
  readonly members: readonly Member[];
  readonly outliers: Outliers;

  constructor(members: readonly Member[], outliers: Outliers) {
    this.members = members;
    this.outliers = outliers;
  }

  /** One answer after the other from one endpoint: whom they eject, and why. */
  answer(at: number, statuses: readonly number[], nowMs = 0): readonly string[] {
    const member = this.members[at];
    if (!member) throw new Error(`no member ${at}`);
    return statuses
      .flatMap((status) => this.outliers.answered(member, status, nowMs))
      .map(({ member: { key }, reason }) => `${key} ${reason}`);
  }

  left(nowMs: number): readonly string[] {
    this.outliers.advance(nowMs);
    return this.members
      .filter((member) => this.outliers.accepts(member))
      .map(({ address }) => address);
  }
}

function create(
  count: number,
  answers: Partial<AnswerOutliers>,
  limits: Partial<OutlierSettings> = {},
): World {
  const healths = new LocalHealths();
  const members = Array.from({ length: count }, (_, i) => anyMember(`m${i}:80`, healths.of()));
  const rules = { outliers: { ...LIMITS, ...limits }, answers: { ...OFF, ...answers } };
  return new World(members, new Outliers(members, rules, { healths }));
}

function times(count: number, status: number): readonly number[] {
  return Array.from({ length: count }, () => status);
}

test("answered(): so many 5xx in a row eject, and any other answer between them begins the row anew", () => {
  const world = create(3, { consecutive5xx: 3, intervalMs: 1_000_000 });
  expect(world.answer(0, [500, 503, 200, 500, 501, 404, 500, 500])).toEqual([]);
  expect(world.answer(0, [599])).toEqual(["m0:80 consecutive_5xx"]);
  expect(world.left(29_999)).toEqual(["m1", "m2"]);
  expect(world.left(30_000)).toEqual(["m0", "m1", "m2"]);
  // It begins with nothing against it.
  expect(world.answer(0, [500, 500], 30_000)).toEqual([]);
  expect(world.answer(0, [500], 30_000)).toEqual(["m0:80 consecutive_5xx"]);
  // The second time for twice as long.
  expect(world.left(89_999)).toEqual(["m1", "m2"]);
  expect(world.left(90_000)).toEqual(["m0", "m1", "m2"]);
});

test("answered(): gateway errors are 502, 503 and 504; another 5xx begins their row anew", () => {
  const world = create(2, { consecutiveGatewayErrors: 3 });
  expect(world.answer(0, [502, 503, 500, 502, 503])).toEqual([]);
  expect(world.answer(0, [504])).toEqual(["m0:80 consecutive_gateway_errors"]);
});

test("answered(): where nothing is asked for nobody is ejected, whatever the answers", () => {
  const world = create(2, {});
  for (let nowMs = 0; nowMs < 100_000; nowMs += 1_000) {
    expect(world.answer(0, [500, 503, 504], nowMs)).toEqual([]);
  }
  expect(world.left(100_000)).toEqual(["m0", "m1"]);
});

test("answered(): the limits on ejections hold for answers as for connections", () => {
  const world = create(10, { consecutive5xx: 1 }, { maxEjectionPercent: 30 });
  const ejected = Array.from({ length: 10 }, (_, at) => world.answer(at, [500])).flat();
  expect(ejected).toHaveLength(3);
  const pair = create(2, { consecutive5xx: 1 });
  expect([pair.answer(0, [500]), pair.answer(1, [500, 500])]).toEqual([
    ["m0:80 consecutive_5xx"],
    [],
  ]);
  const panicking = create(4, { consecutive5xx: 1 }, { minHealthPercent: 60 });
  panicking.answer(0, [500]);
  expect(panicking.left(1)).toEqual(["m1", "m2", "m3"]);
  panicking.answer(1, [500]);
  expect(panicking.left(1)).toEqual(["m0", "m1", "m2", "m3"]);
});

test("answered(): a success rate far below the others' ejects at the interval's end, and only who was asked enough", () => {
  const successRate = { minimumHosts: 5, requestVolume: 100, stdevFactor: 1_900 };
  const world = create(8, { successRate });
  const good = times(100, 200);
  world.answer(0, [200]);
  for (let at = 0; at < 6; at += 1) expect(world.answer(at, good, 5_000)).toEqual([]);
  const half = Array.from({ length: 100 }, (_, i) => (i % 2 === 0 ? 200 : 500));
  expect(world.answer(6, half, 9_999)).toEqual([]);
  // Bad, but nobody knows by how much.
  expect(world.answer(7, [500, 500, 500], 9_999)).toEqual([]);
  expect(world.answer(0, [200], 10_000)).toEqual(["m6:80 success_rate"]);
  // The next interval begins with nothing counted.
  expect(world.answer(0, [200], 20_000)).toEqual([]);
});

test("answered(): too few endpoints that were asked enough say nothing about a success rate", () => {
  const world = create(5, {
    successRate: { minimumHosts: 5, requestVolume: 10, stdevFactor: 1_000 },
  });
  world.answer(0, [200]);
  for (let at = 0; at < 4; at += 1) world.answer(at, times(10, at === 0 ? 500 : 200), 1);
  expect(world.answer(1, [200], 10_000)).toEqual([]);
  for (let at = 0; at < 5; at += 1) world.answer(at, times(10, at === 0 ? 500 : 200), 11_000);
  expect(world.answer(1, [200], 20_000)).toEqual(["m0:80 success_rate"]);
});

test("answered(): endpoints that fail alike are nobody's outlier", () => {
  const world = create(10, {
    successRate: { minimumHosts: 3, requestVolume: 1, stdevFactor: 1_900 },
  });
  world.answer(0, [200]);
  for (let at = 0; at < 10; at += 1) {
    world.answer(
      at,
      Array.from({ length: 90 }, (_, i) => (i % 3 === 0 ? 503 : 200)),
      1,
    );
  }
  expect(world.answer(0, [200], 10_000)).toEqual([]);
  expect(world.left(10_000)).toHaveLength(10);
});

test("answered(): a share of failures at the threshold ejects, one below it does not", () => {
  const failurePercentage = { threshold: 50, minimumHosts: 2, requestVolume: 10 };
  const world = create(3, { failurePercentage });
  world.answer(0, [200]);
  world.answer(1, [...times(5, 500), ...times(5, 200)], 1);
  world.answer(2, [...times(4, 500), ...times(6, 200)], 1);
  expect(world.answer(0, [200], 10_000)).toEqual(["m1:80 failure_percentage"]);
});

test("answered(): intervals outside of ejection shorten the next one step by step", () => {
  const world = create(3, { consecutive5xx: 1 }, { baseEjectionMs: 1_000 });
  world.answer(1, [200]);
  for (const [nowMs, back] of [
    [0, 1_000],
    [1_000, 3_000],
    [3_000, 6_000],
  ] as const) {
    world.answer(0, [500], nowMs);
    expect(world.left(back - 1)).toEqual(["m1", "m2"]);
    expect(world.left(back)).toHaveLength(3);
  }
  // Two intervals are over when it fails again: of three steps one is left, and this one.
  world.answer(1, [200], 10_000);
  world.answer(1, [200], 20_000);
  world.answer(0, [500], 20_000);
  expect(world.left(21_999)).toEqual(["m1", "m2"]);
  expect(world.left(22_000)).toHaveLength(3);
});

test("Outliers: a change of membership ends no interval, and who comes begins with nothing", () => {
  const failurePercentage = { threshold: 50, minimumHosts: 1, requestVolume: 4 };
  const world = create(2, { failurePercentage });
  world.answer(0, [500, 500, 500]);
  const healths = new LocalHealths();
  const members = [...world.members, anyMember("m2:80", healths.of())];
  const rules = { outliers: LIMITS, answers: { ...OFF, failurePercentage } };
  const outliers = new Outliers(members, rules, { healths, last: world.outliers });
  const grown = new World(members, outliers);
  expect(grown.answer(0, [500], 9_999)).toEqual([]);
  expect(grown.answer(1, [200], 10_000)).toEqual(["m0:80 failure_percentage"]);
});
