/** The runner with a real engine, in fake time: what it tells of each CARotation, and when. */
import { afterEach, beforeEach, expect, jest, test } from "@jest/globals";
import type { NodeReport } from "../../core/model/node-report.ts";
import type { TrustBundle } from "../../core/model/trust-bundle.ts";
import { silent } from "../../test/fakes/line-operator.ts";
import { createMemoryKeyStore } from "../../test/fakes/memory-key-store.ts";
import { createHierarchy } from "../ca/intermediate.ts";
import type { KeyStore } from "../ca/key-store.ts";
import { RotationEngine } from "../ca/rotation/rotation-engine.ts";
import { bundleOf } from "../ca/trust.ts";
import { compileTrustBundle } from "../compile/trust-bundle.ts";
import { type KubeObject, parseKubeObject } from "../resources/kube-object.ts";
import { RotationRunner, type ToldRotation } from "./rotation-runner.ts";

const trustDomain = "cluster.local";
const START = Date.parse("2026-01-01T00:00:00Z");

beforeEach(() => {
  jest.useFakeTimers({ now: START });
});

afterEach(() => {
  jest.useRealTimers();
});

function versionOf(bundle: TrustBundle): string {
  return compileTrustBundle(bundle).version;
}

function rotation(name: string, spec: object, more: object = {}): KubeObject {
  const parsed = parseKubeObject({
    apiVersion: "weft.dev/v1",
    kind: "CARotation",
    metadata: {
      name,
      uid: `uid-${name}`,
      generation: 1,
      creationTimestamp: `2026-01-0${name.length}`,
    },
    spec,
    ...more,
  });
  if (parsed.kind === "refused") throw new Error(parsed.reasons.join());
  return parsed.value;
}

/** One node that has followed as far as `isObedient` says. */
class World {
  readonly told: ToldRotation[] = [];
  readonly keyStore: KeyStore;
  objects: readonly KubeObject[] = [];
  isLeader = true;
  isObedient = true;
  #runner: RotationRunner;
  #report: NodeReport | undefined;

  constructor() {
    const material = createHierarchy({ trustDomain, place: "memory", now: START });
    this.keyStore = createMemoryKeyStore(material);
    this.#runner = this.start();
  }

  /** Another leader, that remembers nothing. */
  start(): RotationRunner {
    const { keyStore } = this;
    this.#runner = new RotationRunner({
      engine: new RotationEngine({
        keyStore,
        trustDomain,
        versionOf,
        monotonicMs: () => performance.now(),
      }),
      rotations: () => this.objects,
      nodes: () => [
        { node: "a", report: this.#report, reportedAtMs: START },
        // No node proxy runs here.
        { node: "b", report: undefined, reportedAtMs: 0 },
      ],
      isLeader: () => this.isLeader,
      isPublished: () => true,
      follow: () => this.obey(),
      tell: (told) => {
        this.told.push(told);
        // As it comes back from the API.
        const { name } = told.object.metadata;
        this.objects = this.objects.map((object) =>
          object.metadata.name === name ? { ...object, status: told.status } : object,
        );
      },
      log: silent,
    });
    return this.#runner;
  }

  async obey(): Promise<void> {
    const material = await this.keyStore.read();
    if (!material || (this.#report && !this.isObedient)) return;
    const bundle = bundleOf(material, { keyStore: this.keyStore, trustDomain });
    this.#report = {
      node: "a",
      version: "",
      captures: [],
      leaves: [],
      bundles: [{ trustDomain, version: versionOf(bundle) }],
      olderTunnels: [],
    };
  }

  async pass(ms: number): Promise<void> {
    this.#runner.wake();
    await jest.advanceTimersByTimeAsync(ms);
  }

  phases(name: string): readonly string[] {
    const own = this.told.filter(({ object }) => object.metadata.name === name);
    const phases = own.map(({ status }) => `${status.phase} ${status.reason}`);
    return phases.filter((phase, index) => phase !== phases[index - 1]);
  }

  events(): readonly string[] {
    return this.told.flatMap(({ events }) => events.map(({ reason }) => reason));
  }

  get runner(): RotationRunner {
    return this.#runner;
  }
}

test("RotationRunner: tells each phase, its nodes and its end, and then is silent", async () => {
  const world = new World();
  world.objects = [rotation("one", { authority: "root" })];
  await world.pass(60_000);
  expect(world.phases("one")).toEqual([
    "Add WaitingForReplicas",
    "Reissue WaitingForReplicas",
    "Drop WaitingForReplicas",
    "Complete Completed",
  ]);
  expect(world.events()).toEqual([
    "RotationAdd",
    "RotationReissue",
    "RotationDrop",
    "RotationComplete",
  ]);
  const { status } = world.told.find(({ status: { phase } }) => phase === "Reissue") ?? {};
  expect(status).toMatchObject({
    observedGeneration: 1,
    aborting: false,
    from: expect.stringMatching(/^[0-9a-f]{64}$/),
    to: expect.stringMatching(/^[0-9a-f]{64}$/),
    startedAt: "2026-01-01T00:00:00Z",
    nodesProven: "1/1",
    nodes: [{ name: "a", state: "Proven", missing: "", lastReportAt: "2026-01-01T00:00:00Z" }],
  });
  expect(world.told.at(-1)?.status.finishedAt).toBeDefined();
  const { length } = world.told;
  await world.pass(600_000);
  expect(world.told).toHaveLength(length);
  expect(jest.getTimerCount()).toBe(0);
  await world.runner.close();
});

test("RotationRunner: one at a time, the oldest first, and who cannot be read is told so", async () => {
  const world = new World();
  world.objects = [
    rotation("three", { authority: "root" }),
    rotation("one", { authority: "intermediate" }),
    rotation("wrong", { authority: "leaf" }),
  ];
  await world.pass(3000);
  expect(world.phases("one")).toEqual(["Reissue WaitingForReplicas"]);
  expect(world.phases("three")).toEqual(["Pending AnotherRotation"]);
  expect(world.phases("wrong")).toEqual(["Refused InvalidSpec"]);
  await world.pass(120_000);
  expect(world.phases("one").at(-1)).toBe("Complete Completed");
  expect(world.phases("three").at(-1)).toBe("Complete Completed");
  await world.runner.close();
});

test("RotationRunner: names a node that holds it up for a minute, once; a waiver lets it go on", async () => {
  const world = new World();
  await world.obey();
  world.isObedient = false;
  const spec = { authority: "intermediate" };
  world.objects = [rotation("one", spec)];
  await world.pass(50_000);
  expect(world.phases("one")).toEqual(["Reissue WaitingForNodes"]);
  expect(world.told.at(-1)?.status.message).toMatch(/^a: .*trust bundle/);
  expect(world.events()).toEqual(["RotationReissue"]);
  await world.pass(100_000);
  expect(world.events()).toEqual(["RotationReissue", "RotationHeldUp"]);
  const status = world.objects[0]?.status;
  world.objects = [rotation("one", { ...spec, waivedNodes: ["a"] }, { status })];
  await world.pass(30_000);
  expect(world.phases("one").at(-1)).toBe("Complete Completed");
  await world.runner.close();
});

test("RotationRunner: another leader goes on where the one before was, and begins nothing twice", async () => {
  const world = new World();
  world.objects = [rotation("one", { authority: "root" })];
  await world.pass(5000);
  await world.runner.close();
  const to = world.told.at(-1)?.status.to;
  world.start();
  await world.pass(60_000);
  expect(world.told.at(-1)?.status).toMatchObject({ phase: "Complete", to });
  expect(world.events().filter((reason) => reason === "RotationAdd")).toHaveLength(1);
  await world.runner.close();
  // The last status was lost: the key store knows that it has ended.
  const before = await world.keyStore.read();
  world.objects = [rotation("one", { authority: "root" })];
  world.start();
  await world.pass(60_000);
  expect(world.told.at(-1)?.status).toMatchObject({ phase: "Complete", to });
  expect(await world.keyStore.read()).toBe(before);
  await world.runner.close();
});

test("RotationRunner: a CARotation that comes while it looks is not missed", async () => {
  let objects: readonly KubeObject[] = [];
  let asked = 0;
  const runner = new RotationRunner({
    engine: {
      async advance() {
        asked += 1;
        objects = [rotation("one", { authority: "root" })];
        if (asked === 1) runner.wake();
        return { kind: "idle" };
      },
      close: () => undefined,
    },
    rotations: () => objects,
    nodes: () => [],
    isLeader: () => true,
    isPublished: () => true,
    follow: async () => undefined,
    tell: () => undefined,
    log: silent,
  });
  runner.wake();
  await jest.advanceTimersByTimeAsync(500);
  expect(asked).toBe(2);
  await runner.close();
});

test("RotationRunner: does nothing while another replica leads", async () => {
  const world = new World();
  const before = await world.keyStore.read();
  world.isLeader = false;
  world.objects = [rotation("one", { authority: "root" })];
  await world.pass(60_000);
  expect(world.told).toEqual([]);
  expect(await world.keyStore.read()).toBe(before);
  world.isLeader = true;
  await world.pass(5000);
  expect(world.phases("one")).toEqual(["Add WaitingForReplicas"]);
  expect(world.runner.phase()).toBe(2);
  await world.runner.close();
});

test("RotationRunner: an abort goes back and says so; one refused says why", async () => {
  const world = new World();
  world.objects = [rotation("one", { authority: "root" })];
  await world.pass(15_000);
  const status = world.objects[0]?.status;
  world.objects = [rotation("one", { authority: "root", abort: true }, { status })];
  await world.pass(60_000);
  expect(world.told.at(-1)?.status).toMatchObject({ phase: "Aborted", aborting: true });
  expect(world.events().at(-1)).toBe("RotationAborted");
  const stored = await world.keyStore.read();
  if (stored) await world.keyStore.replace(stored, { ...stored, rootKeyPem: undefined });
  world.objects = [rotation("three", { authority: "intermediate" })];
  await world.pass(5000);
  expect(world.phases("three")).toEqual(["Refused RootKeyOffline"]);
  expect(world.events().at(-1)).toBe("RotationRefused");
  await world.runner.close();
});
