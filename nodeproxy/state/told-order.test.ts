/**
 * Resources may come in any order between each other, in any batches, and any of them again: what is known in the end is
 * the same, and on the way nothing is permitted that what has come by then does not permit.
 */
import { expect, test } from "@jest/globals";
import fc from "fast-check";
import type { CompiledPolicy, Rule, Source } from "../../core/model/authorization-policy.ts";
import { NOTHING_EXCLUDED } from "../../core/model/capture-exclusions.ts";
import type { Enrolment } from "../../core/model/enrolment.ts";
import type { MtlsMode } from "../../core/model/mtls-modes.ts";
import {
  type Changes,
  policiesIn,
  type Resource,
  type ResourceBody,
  type ResourceRef,
  resourceKey,
  resourceName,
} from "../../core/model/resource.ts";
import type { Workload } from "../../core/model/workload.ts";
import type { Attempt } from "../authz/attempt.ts";
import { Judge } from "../inbound/judge.ts";
import { Current } from "./current.ts";

const PODS = ["uid-a", "uid-b"];
const POLICIES = ["shop/p1", "shop/p2", "shop/p3"];
const ADDRESSES = ["10.0.0.1", "10.0.0.2"];
const MODES = { default: "PERMISSIVE", ports: [] } as const;

function from(lists: Partial<Source>): Source {
  return {
    principals: [],
    notPrincipals: [],
    namespaces: [],
    notNamespaces: [],
    serviceAccounts: [],
    notServiceAccounts: [],
    trustDomains: [],
    notTrustDomains: [],
    ipBlocks: [],
    notIpBlocks: [],
    ...lists,
  };
}

const ANYBODY: Rule = { index: 0, from: [], to: [], when: [] };
const WEB: Rule = {
  ...ANYBODY,
  from: [from({ serviceAccounts: [{ namespace: "shop", name: "web" }] })],
};
const PORT: Rule = { ...ANYBODY, to: [{ ports: [8080], notPorts: [] }] };

const policy: fc.Arbitrary<ResourceBody> = fc
  .record({
    ref: fc.constantFrom(...POLICIES),
    action: fc.constantFrom("ALLOW", "DENY"),
    dryRun: fc.boolean(),
    invalid: fc.boolean(),
    rules: fc.subarray([ANYBODY, WEB, PORT]),
  })
  .map((value: CompiledPolicy) => ({ kind: "policy", value }));

const enrolment: fc.Arbitrary<ResourceBody> = fc
  .record({
    uid: fc.constantFrom(...PODS),
    policies: fc.subarray(POLICIES),
    mode: fc.constantFrom<MtlsMode>("STRICT", "PERMISSIVE"),
  })
  .map(({ uid, policies, mode }) => {
    const value: Enrolment = {
      uid,
      namespace: "shop",
      name: uid,
      serviceAccount: "api",
      addresses: [],
      netnsPath: "",
      policies,
      modes: { default: mode, ports: [] },
      probes: [],
      nodeAddresses: [],
      exclusions: NOTHING_EXCLUDED,
      owner: "api",
      zone: "",
    };
    return { kind: "enrolment", value };
  });

const workload: fc.Arbitrary<ResourceBody> = fc
  .record({
    uid: fc.constantFrom(...PODS),
    addresses: fc.subarray(ADDRESSES),
    tunnel: fc.boolean(),
  })
  .map(({ uid, addresses, tunnel }) => {
    const value: Workload = {
      uid,
      namespace: "shop",
      name: uid,
      serviceAccount: "api",
      node: "node1",
      addresses,
      tunnel,
      modes: MODES,
      owner: "api",
      weight: 1,
    };
    return { kind: "workload", value };
  });

const settings: ResourceBody = {
  kind: "settings",
  value: { trustDomain: "cluster.local", trustDomainAliases: [] } as never,
};

/** What one name is, or that it is gone. */
interface Told {
  readonly body: ResourceBody;
  readonly isGone: boolean;
}

const histories = fc.array(
  fc.record({
    body: fc.oneof(
      { weight: 4, arbitrary: policy },
      { weight: 4, arbitrary: enrolment },
      { weight: 3, arbitrary: workload },
      { weight: 1, arbitrary: fc.constant(settings) },
    ),
    isGone: fc.boolean(),
  }),
  { maxLength: 24 },
);

/** How what is due is told next. */
interface How {
  /** Of which name. */
  readonly pick: number;
  /** Once more after it. */
  readonly again: boolean;
  /** In one batch with what came before. */
  readonly joins: boolean;
  /** Followed by everything that there is. */
  readonly anew: boolean;
}

const tellings = fc.array(
  fc.record({ pick: fc.nat(), again: fc.boolean(), joins: fc.boolean(), anew: fc.boolean() }),
  { minLength: 24, maxLength: 24 },
);

function refOf({ body }: Told): ResourceRef {
  return { kind: body.kind, name: resourceName(body) };
}

function changesOf(all: readonly Told[]): Changes {
  return {
    upserts: all.filter(({ isGone }) => !isGone).map(({ body }) => resourceOf(body)),
    removals: all.filter(({ isGone }) => isGone).map(refOf),
  };
}

function resourceOf(body: ResourceBody): Resource {
  return { name: resourceName(body), version: "", body };
}

/** As a traffic process holds it: never asked anything before it was told to look again. */
class Node {
  readonly current = new Current();
  readonly judge = new Judge(this.current);

  tell(changes: Changes): void {
    const applied = this.current.apply(changes);
    if (applied.kind === "refused") throw new Error(JSON.stringify(applied.errors));
    this.judge.refresh(policiesIn(changes));
  }

  answers(): readonly unknown[] {
    return PODS.flatMap((uid) => attempts.map((attempt) => this.judge.decide(uid, attempt)));
  }

  /** Order among those that claim one address is that of arrival. */
  places(): readonly unknown[] {
    return [
      ...PODS.map((uid) => this.current.workload(uid)),
      ...ADDRESSES.map((address) => {
        const uids = this.current.workloadsAt(address).map(({ uid }) => uid);
        return uids.toSorted();
      }),
    ];
  }
}

const plaintext: Attempt = {
  sourceIp: [10, 0, 0, 9],
  destinationIp: [10, 0, 0, 1],
  destinationPort: 8080,
};
const peer = { trustDomain: "cluster.local", namespace: "shop" };
const attempts: readonly Attempt[] = [
  plaintext,
  { ...plaintext, peer: { ...peer, serviceAccount: "web" } },
  { ...plaintext, peer: { ...peer, serviceAccount: "other" } },
  { ...plaintext, peer: { ...peer, serviceAccount: "web" }, destinationPort: 9090 },
];

/** One that is told just that, at once. */
function nodeOf(held: ReadonlyMap<string, Told>): Node {
  const node = new Node();
  node.tell(changesOf([...held.values()]));
  return node;
}

/** By name, in the order of what was to be told of it. */
function queuesOf(history: readonly Told[]): Map<string, Told[]> {
  const queues = new Map<string, Told[]>();
  for (const told of history) {
    const key = resourceKey(refOf(told));
    queues.set(key, [...(queues.get(key) ?? []), told]);
  }
  return queues;
}

/** A node that is told of a history batch by batch; after each it knows what one that is told just that at once knows. */
class Telling {
  readonly node = new Node();
  readonly #held = new Map<string, Told>();
  #batch: Told[] = [];

  has(key: string): boolean {
    return this.#batch.some((told) => resourceKey(refOf(told)) === key);
  }

  add(told: Told): void {
    this.#batch.push(told);
    this.#held.set(resourceKey(refOf(told)), told);
  }

  flush(): void {
    this.node.tell(changesOf(this.#batch));
    this.#batch = [];
    expectAsToldAtOnce(this.node, this.#held);
  }

  /** As after a hello. */
  tellAnew(): void {
    const all = [...this.#held.values()].filter(({ isGone }) => !isGone);
    this.node.tell(this.node.current.completed(changesOf(all)));
    expectAsToldAtOnce(this.node, this.#held);
  }
}

function expectAsToldAtOnce(node: Node, held: ReadonlyMap<string, Told>): void {
  const fresh = nodeOf(held);
  expect(node.answers()).toEqual(fresh.answers());
  expect(node.places()).toEqual(fresh.places());
  expectNothingUnknownPermitted(node, held);
}

/** What becomes of each name is in order; between names, and in which batches, it is as `how` says. */
function tellSomehow(history: readonly Told[], how: readonly How[]): void {
  const telling = new Telling();
  const queues = queuesOf(history);
  for (const { pick, again, joins, anew } of how) {
    const key = [...queues.keys()][pick % queues.size] ?? "";
    const told = queues.get(key)?.shift();
    if (!told) break;
    if (queues.get(key)?.length === 0) queues.delete(key);
    if (!joins || telling.has(key)) telling.flush();
    telling.add(told);
    if (again) {
      telling.flush();
      telling.add(told);
    }
    if (anew) {
      telling.flush();
      telling.tellAnew();
    }
  }
  telling.flush();
  const inOrder = new Node();
  for (const told of history) inOrder.tell(changesOf([told]));
  expect(telling.node.answers()).toEqual(inOrder.answers());
  expect(telling.node.places()).toEqual(inOrder.places());
}

/** A pod whose policies have not all come is closed, and so is one of which nothing is known. */
function expectNothingUnknownPermitted(node: Node, held: ReadonlyMap<string, Told>): void {
  for (const uid of PODS) {
    const told = held.get(resourceKey({ kind: "enrolment", name: uid }));
    const policies =
      told?.body.kind === "enrolment" && !told.isGone ? told.body.value.policies : ["none"];
    const isWhole = policies.every((name) => {
      const one = held.get(resourceKey({ kind: "policy", name }));
      return one !== undefined && !one.isGone;
    });
    if (isWhole) continue;
    for (const attempt of attempts) {
      expect(node.judge.decide(uid, attempt).verdict.kind).toBe("deny");
    }
  }
}

test("Judge.decide(): the same whatever the order, the batches and the repetitions in which resources came", () => {
  fc.assert(fc.property(histories, tellings, tellSomehow), { numRuns: 200 });
});
