/** The YAML of the README is what the admission webhook would accept. */
import { readFileSync } from "node:fs";
import { expect, test } from "@jest/globals";
import { parse } from "yaml";
import { parseAuthorizationPolicy } from "../operator/resources/authorization-policy.ts";

test("README: every YAML block is an accepted AuthorizationPolicy", () => {
  const blocks = [...readFileSync("README.md", "utf8").matchAll(/```yaml\n([\s\S]*?)```/g)];
  expect(blocks.length).toBeGreaterThan(0);
  for (const [, text = ""] of blocks) {
    const parsed = parseAuthorizationPolicy(parse(text), { rootNamespace: "weft-system" });
    expect(parsed.kind).toBe("accepted");
  }
});
