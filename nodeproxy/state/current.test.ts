import { expect, test } from "@jest/globals";
import fc from "fast-check";
import type { Resource, ResourceRef } from "../../core/model/resource.ts";
import { Current } from "./current.ts";

const names = fc.constantFrom("n1", "n2", "n3");
const serials = fc.uniqueArray(fc.constantFrom("01", "02", "03", "04"));
const steps = fc.array(fc.tuple(names, fc.option(serials)));

function resourceOf(node: string, list: readonly string[]): Resource {
  return {
    name: node,
    version: list.join(),
    body: { kind: "revocation", value: { node, serials: list } },
  };
}

test("Current.isRevoked(): true for what some revocation names now, whatever came and went before", () => {
  fc.assert(
    fc.property(steps, (all) => {
      const current = new Current();
      const held = new Map<string, readonly string[]>();
      for (const [node, list] of all) {
        const gone: ResourceRef[] = list ? [] : [{ kind: "revocation", name: node }];
        current.apply({ upserts: list ? [resourceOf(node, list)] : [], removals: gone });
        if (list) held.set(node, list);
        else held.delete(node);
        const named = new Set([...held.values()].flat());
        for (const serial of ["01", "02", "03", "04"]) {
          expect(current.isRevoked(serial)).toBe(named.has(serial));
        }
      }
    }),
  );
});
