import { expect, test } from "@jest/globals";
import { kubeObject } from "../../test/fakes/route-objects.ts";
import { parseReferenceGrant, permits } from "./reference-grant.ts";

const GATEWAY = "gateway.networking.k8s.io";

function permitted(spec: object): readonly boolean[] {
  const grant = parseReferenceGrant(kubeObject("ReferenceGrant", "lab/g", { spec }));
  const from = { kind: "HTTPRoute", namespace: "shop" } as const;
  return [
    permits(grant, from, { namespace: "lab", name: "web" }),
    permits(grant, from, { namespace: "lab", name: "api" }),
    permits(grant, from, { namespace: "other", name: "web" }),
    permits(grant, { ...from, kind: "GRPCRoute" }, { namespace: "lab", name: "web" }),
    permits(grant, { ...from, namespace: "evil" }, { namespace: "lab", name: "web" }),
  ];
}

const FROM = { group: GATEWAY, kind: "HTTPRoute", namespace: "shop" };

test("permits(): that kind from that namespace, to that Service or to all of the grant's namespace", () => {
  expect(
    permitted({ from: [FROM], to: [{ group: "", kind: "Service", name: "web" }] }),
  ).toStrictEqual([true, false, false, false, false]);
  expect(permitted({ from: [FROM], to: [{ group: "", kind: "Service" }] })).toStrictEqual([
    true,
    true,
    false,
    false,
    false,
  ]);
});

test.each<[string, object]>([
  ["nothing", {}],
  ["another group", { from: [{ ...FROM, group: "" }], to: [{ group: "", kind: "Service" }] }],
  ["Secrets", { from: [FROM], to: [{ group: "", kind: "Secret" }] }],
  ["an empty name", { from: [FROM], to: [{ group: "", kind: "Service", name: "" }] }],
  ["no target", { from: [FROM] }],
])("permits(): a grant of %s grants no Service", (_what, spec) => {
  expect(permitted(spec)).toStrictEqual([false, false, false, false, false]);
});
