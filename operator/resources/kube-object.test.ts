import { expect, test } from "@jest/globals";
import fc from "fast-check";
import { objectKey, parseKubeObject } from "./kube-object.ts";

const POD = { apiVersion: "v1", kind: "Pod", metadata: { name: "web", namespace: "shop" } };

test("parseKubeObject(): checks metadata, fills in what is left out, and passes the rest on", () => {
  expect(parseKubeObject({ ...POD, spec: { x: 1 } })).toMatchObject({
    kind: "accepted",
    value: {
      spec: { x: 1 },
      metadata: { uid: "", generation: 0, labels: {}, annotations: {}, creationTimestamp: "" },
    },
  });
});

test("objectKey(): is one text for an object, with or without a namespace", () => {
  const keys = [POD, { ...POD, kind: "Node", metadata: { name: "a" } }].map((value) => {
    const parsed = parseKubeObject(value);
    return parsed.kind === "accepted" ? objectKey(parsed.value) : "";
  });
  expect(keys).toEqual(["Pod shop/web", "Node /a"]);
});

test.each([
  ["no object", 3, "not an object"],
  ["no apiVersion", { ...POD, apiVersion: "" }, "apiVersion is missing"],
  ["no kind", { ...POD, kind: undefined }, "kind is missing"],
  ["no metadata", { ...POD, metadata: [] }, "metadata is missing"],
  ["a name with a slash", { ...POD, metadata: { name: "a/b" } }, "metadata.name is not"],
  ["a name with a space", { ...POD, metadata: { name: "a b" } }, "metadata.name is not"],
  ["a namespace that is none", { ...POD, metadata: { name: "a", namespace: "../x" } }, "namespace"],
  ["a number as label", { ...POD, metadata: { name: "a", labels: { x: 1 } } }, "labels"],
  ["a list as annotations", { ...POD, metadata: { name: "a", annotations: [] } }, "annotations"],
])("parseKubeObject(): refuses %s and says so", (_name, value, reason) => {
  expect(parseKubeObject(value)).toEqual({
    kind: "refused",
    reasons: [expect.stringContaining(reason)],
  });
});

test("parseKubeObject(): a time that YAML read as a Date, and owners that are none, do no harm", () => {
  const metadata = {
    name: "web",
    creationTimestamp: new Date(0),
    ownerReferences: [{ kind: "ReplicaSet", name: "r", controller: true }, { kind: "X" }, 7],
  };
  expect(parseKubeObject({ ...POD, metadata })).toMatchObject({
    value: {
      metadata: {
        creationTimestamp: "1970-01-01T00:00:00.000Z",
        ownerReferences: [{ kind: "ReplicaSet", name: "r", controller: true }],
      },
    },
  });
});

test("parseKubeObject(): whatever it is handed, it answers", () => {
  fc.assert(
    fc.property(fc.anything(), fc.anything(), (value, metadata) => {
      expect(["accepted", "refused"]).toContain(parseKubeObject(value).kind);
      expect(["accepted", "refused"]).toContain(parseKubeObject({ ...POD, metadata }).kind);
    }),
  );
});
