/**
 * What goes into the image: `deploy/Dockerfile.dockerignore`, written from package-lock.json, so that
 * a plain `docker build` after `npm ci` takes the packages needed to run and none of the others.
 * `test/image-context.test.ts` holds the file to it.
 */

export interface LockedPackage {
  readonly dev?: boolean;
  readonly devOptional?: boolean;
}

/** `packages` is that of package-lock.json: locked packages by their path. */
export function writeImageIgnore(packages: Readonly<Record<string, LockedPackage>>): string {
  const needed = Object.entries(packages)
    .filter(([path, { dev, devOptional }]) => path !== "" && !dev && !devOptional)
    .map(([path]) => path);
  return [
    "# Written from package-lock.json: UPDATE_GOLDEN=1 npm run test:unit -- test/image-context",
    "*",
    ...["package.json", "core", "cli", "operator", "nodeproxy"].map((path) => `!${path}`),
    "!node_modules/.bin/node",
    ...needed.toSorted().map((path) => `!${path}`),
    "# Not needed to run.",
    "**/*.test.ts",
    "**/testdata",
    "node_modules/**/*.d.ts",
    "node_modules/**/*.map",
    "node_modules/node-linux-*/include",
    "node_modules/node-linux-*/share",
    "",
  ].join("\n");
}
