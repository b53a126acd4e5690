import { expect, test } from "@jest/globals";
import fc from "fast-check";
import { type Resource, resourceKey } from "../../core/model/resource.ts";
import { ResourceTable } from "./resource-table.ts";

function policy(name: string, version: string): Resource {
  const value = { ref: name, action: "DENY", dryRun: false, invalid: false, rules: [] } as const;
  return { name, version, body: { kind: "policy", value } };
}

const STEP = fc.oneof(
  fc.record({ name: fc.constantFrom("a", "b", "c"), version: fc.constantFrom("1", "2") }),
  fc.record({ name: fc.constantFrom("a", "b", "c"), version: fc.constant(undefined) }),
  fc.constant("take" as const),
);

test("ResourceTable: whoever applies what takeChanges() gives holds what the table holds, and never hears of what did not change", () => {
  fc.assert(
    fc.property(fc.array(STEP, { maxLength: 40 }), (steps) => {
      const table = new ResourceTable();
      const copy = new Map<string, string>();
      function take(): void {
        const { upserts, removals } = table.takeChanges();
        for (const { name, version } of upserts) {
          expect(copy.get(name)).not.toBe(version);
          copy.set(name, version);
        }
        for (const { name } of removals) expect(copy.delete(name)).toBe(true);
      }
      for (const step of steps) {
        if (step === "take") take();
        else if (step.version === undefined) table.drop({ kind: "policy", name: step.name });
        else table.put(policy(step.name, step.version));
      }
      take();
      const held = [...table.entries().values()].map(({ name, version }) => [name, version]);
      expect(new Map(held as [string, string][])).toEqual(copy);
      expect(table.isTouched).toBe(false);
    }),
  );
});

test("ResourceTable: a resource is found by kind and name", () => {
  const table = new ResourceTable();
  table.put(policy("a", "1"));
  expect(table.get({ kind: "policy", name: "a" })?.version).toBe("1");
  expect(table.get({ kind: "workload", name: "a" })).toBeUndefined();
  expect([...table.entries().keys()]).toEqual([resourceKey({ kind: "policy", name: "a" })]);
});
