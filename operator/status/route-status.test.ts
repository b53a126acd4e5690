import { expect, test } from "@jest/globals";
import {
  parentRef,
  routeObject,
  serviceObject,
  type WrittenRoute,
} from "../../test/fakes/route-objects.ts";
import { ClusterIndex } from "../index/cluster-index.ts";
import type { RouteState } from "../index/route-store.ts";
import type { KubeObject } from "../resources/kube-object.ts";
import { changedParents } from "./route-status.ts";

const FIRST_MS = Date.UTC(2030, 0, 1);
const LATER_MS = Date.UTC(2030, 0, 2);
const FIRST = "2030-01-01T00:00:00Z";
const WEB = serviceObject("shop/web", { port: 80 }, { port: 90 });
const TO_WEB = { backendRefs: [{ name: "web", port: 80 }] };
const UNREAD = { filters: [{ type: "URLRewrite", urlRewrite: { path: { type: "Nonsense" } } }] };
const FOREIGN = {
  parentRef: { name: "gateway" },
  controllerName: "another.example/gateway",
  conditions: [],
};

function routeOf(wish: WrittenRoute & { readonly generation?: number; readonly status?: object }) {
  const object = routeObject("HTTPRoute", "shop/r", wish);
  const { generation = 3, status } = wish;
  return { ...object, metadata: { ...object.metadata, generation }, status };
}

/** Among Services. */
function stateOf(route: KubeObject, ...services: readonly KubeObject[]): RouteState {
  const index = new ClusterIndex({ rootNamespace: "weft-system", schedule: () => undefined });
  for (const object of [...services, route]) index.apply({ kind: "upsert", object });
  index.deliver();
  const [state] = index.routes();
  if (!state) throw new Error("no route");
  return state;
}

/** `Type=Status Reason` of each parent. */
function told(state: RouteState): readonly string[] {
  return (changedParents(state, FIRST_MS)?.own ?? []).map(({ conditions }) =>
    conditions.map(({ type, status, reason }) => `${type}=${status} ${reason}`).join(", "),
  );
}

function messages(state: RouteState): readonly string[] {
  const [parent] = changedParents(state, FIRST_MS)?.own ?? [];
  return parent?.conditions.map(({ message }) => message) ?? [];
}

const WELL = "Accepted=True Accepted, ResolvedRefs=True ResolvedRefs";

test("changedParents(): an entry of each parentRef that is a Service, as it is written, beside others'", () => {
  const gateway = { name: "gateway" };
  const parents = [parentRef("web", { port: 80 }), gateway, parentRef("gone")];
  const state = stateOf(routeOf({ parents, rules: [TO_WEB], status: { parents: [FOREIGN] } }), WEB);
  const changed = changedParents(state, FIRST_MS);
  expect(changed?.others).toStrictEqual([FOREIGN]);
  expect(changed?.own[0]).toStrictEqual({
    parentRef: { group: "", kind: "Service", name: "web", port: 80 },
    controllerName: "weft.dev/mesh-controller",
    conditions: ["Accepted", "ResolvedRefs"].map((type) => ({
      type,
      status: "True",
      reason: type,
      message: "",
      observedGeneration: 3,
      lastTransitionTime: FIRST,
    })),
  });
  expect(told(state)).toStrictEqual([
    WELL,
    "Accepted=False NoMatchingParent, ResolvedRefs=True ResolvedRefs",
  ]);
});

test("changedParents(): references that lead nowhere and rules that cannot be read say so, and where", () => {
  const parents = [parentRef("web")];
  const nowhere = { backendRefs: [{ name: "gone", port: 80 }] };
  const unresolved = stateOf(routeOf({ parents, rules: [nowhere] }), WEB);
  expect(told(unresolved)).toStrictEqual([
    "Accepted=True Accepted, ResolvedRefs=False BackendNotFound",
  ]);
  expect(messages(unresolved)[1]).toContain("spec.rules[0].backendRefs[0]");
  const partly = stateOf(routeOf({ parents, rules: [TO_WEB, UNREAD] }), WEB);
  expect(told(partly)).toStrictEqual([`${WELL}, PartiallyInvalid=True UnsupportedValue`]);
  expect(messages(partly)[2]).toMatch(/^Dropped Rule 1, .*: spec\.rules\[1\]\.filters\[0\]/);
  expect(told(stateOf(routeOf({ parents, rules: [UNREAD] }), WEB))).toStrictEqual([
    "Accepted=False UnsupportedValue, ResolvedRefs=True ResolvedRefs",
  ]);
});

function written(state: RouteState, now: number): object {
  const { others = [], own = [] } = changedParents(state, now) ?? {};
  return { parents: [...others, ...own] };
}

test("changedParents(): nothing where it is there; times move with their condition alone, and generations with the object", () => {
  const parents = [parentRef("web")];
  const wish = { parents, rules: [TO_WEB] };
  const status = written(stateOf(routeOf(wish), WEB), FIRST_MS);
  expect(changedParents(stateOf(routeOf({ ...wish, status }), WEB), LATER_MS)).toBeUndefined();
  const newer = routeOf({ ...wish, status, generation: 4 });
  const [entry] = changedParents(stateOf(newer, WEB), LATER_MS)?.own ?? [];
  expect(
    entry?.conditions.map(({ observedGeneration, lastTransitionTime }) => {
      return [observedGeneration, lastTransitionTime];
    }),
  ).toStrictEqual([
    [4, FIRST],
    [4, FIRST],
  ]);
  const [alone] = changedParents(stateOf(routeOf({ ...wish, status })), LATER_MS)?.own ?? [];
  expect(alone?.conditions[0]).toMatchObject({
    reason: "NoMatchingParent",
    lastTransitionTime: "2030-01-02T00:00:00Z",
  });
});

test("changedParents(): a condition that is no more goes, and so does the entry of a parentRef that is no more", () => {
  const parents = [parentRef("web")];
  const partly = stateOf(routeOf({ parents, rules: [TO_WEB, UNREAD] }), WEB);
  const status = written(partly, FIRST_MS);
  const whole = stateOf(routeOf({ parents, rules: [TO_WEB], status }), WEB);
  expect(told(whole)).toStrictEqual([WELL]);
  const away = stateOf(routeOf({ parents: [{ name: "gateway" }], rules: [TO_WEB], status }), WEB);
  expect(changedParents(away, FIRST_MS)).toStrictEqual({ others: [], own: [] });
  const never = stateOf(
    routeOf({ parents: [{ name: "gateway" }], rules: [TO_WEB], status: { parents: [FOREIGN] } }),
  );
  expect(changedParents(never, FIRST_MS)).toBeUndefined();
});

test("changedParents(): others' entries leave no more room than the schema has", () => {
  const parents = Array.from({ length: 32 }, (_, i) => parentRef("web", { port: i + 1 }));
  const status = { parents: [FOREIGN, FOREIGN] };
  const changed = changedParents(stateOf(routeOf({ parents, rules: [TO_WEB], status }), WEB), 0);
  expect([changed?.others.length, changed?.own.length]).toStrictEqual([2, 30]);
});
