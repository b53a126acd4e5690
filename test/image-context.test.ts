/** The image takes in exactly what it needs: deploy/Dockerfile.dockerignore follows package-lock.json. */
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "@jest/globals";
import { type LockedPackage, writeImageIgnore } from "./cluster/image-context.ts";

const ROOT = join(import.meta.dirname, "..");
const IGNORE = join(ROOT, "deploy", "Dockerfile.dockerignore");

test("deploy/Dockerfile.dockerignore lets in the packages of package-lock.json needed to run", async () => {
  const lock = JSON.parse(await readFile(join(ROOT, "package-lock.json"), "utf8")) as {
    packages: Record<string, LockedPackage>;
  };
  const wanted = writeImageIgnore(lock.packages);
  if (process.env["UPDATE_GOLDEN"] === "1") {
    await writeFile(IGNORE, wanted);
  }
  expect(await readFile(IGNORE, "utf8")).toBe(wanted);
});

test("writeImageIgnore(): a package only for development stays out", () => {
  const text = writeImageIgnore({
    "": {},
    "node_modules/pino": {},
    "node_modules/jest": { dev: true },
    "node_modules/both": { devOptional: true },
  });
  expect(text).toContain("!node_modules/pino\n");
  expect(text).not.toMatch(/jest|both/);
});
