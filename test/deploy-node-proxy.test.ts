/** Holds the DaemonSet to what its programs need: what they may write, and what is said to Kubernetes and to them. */

import { spawnSync } from "node:child_process";
import { globSync, readFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { expect, test } from "@jest/globals";
import { parseAllDocuments } from "yaml";

interface PodSpec {
  readonly containers: readonly {
    readonly env: readonly { readonly name: string; readonly value?: string }[];
    readonly volumeMounts: readonly { readonly name: string; readonly mountPath: string }[];
    readonly securityContext: { readonly readOnlyRootFilesystem: boolean };
  }[];
  readonly volumes: readonly { readonly name: string; readonly emptyDir?: object }[];
  readonly terminationGracePeriodSeconds: number;
}

interface DaemonSet {
  readonly kind: string;
  readonly spec: { readonly template: { readonly spec: PodSpec } };
}

function deployedPod(file: string): PodSpec {
  const documents = parseAllDocuments(readFileSync(file, "utf8"));
  const objects = documents.map((document) => document.toJS() as DaemonSet);
  const found = objects.find(({ kind }) => kind === "DaemonSet");
  if (!found) throw new Error(`${file} has no DaemonSet`);
  return found.spec.template.spec;
}

function setting({ containers }: PodSpec, wanted: string): string {
  return containers[0]?.env.find(({ name }) => name === wanted)?.value ?? "";
}

test.each(["deploy/node-proxy.yaml", "deploy/weft.yaml"])(
  "%s: iptables-legacy can write its lock file on a root file system that cannot be written",
  (file) => {
    const pod = deployedPod(file);
    const [container] = pod.containers;
    expect(container?.securityContext.readOnlyRootFilesystem).toBe(true);
    const folder = dirname(setting(pod, "XTABLES_LOCKFILE"));
    const mount = container?.volumeMounts.find(({ mountPath }) => mountPath === folder);
    const volume = pod.volumes.find(({ name }) => name === mount?.name);
    expect(volume?.emptyDir).toBeDefined();
  },
);

test.each(["deploy/node-proxy.yaml", "deploy/weft.yaml"])(
  "%s: the program knows how long it has from SIGTERM to SIGKILL",
  (file) => {
    const pod = deployedPod(file);
    expect(setting(pod, "WEFT_GRACE_SECONDS")).toBe(String(pod.terminationGracePeriodSeconds));
  },
);

test("deploy/Dockerfile compiles what a node proxy loads late, with the keeper's flags", () => {
  const dockerfile = readFileSync("deploy/Dockerfile", "utf8");
  const late = globSync("nodeproxy/**/*.ts", { exclude: ["**/*.test.ts"] }).flatMap((file) =>
    [...readFileSync(file, "utf8").matchAll(/\bimport\("(\.[^"]+)"\)/g)].map(
      ([, path = ""]) => `./${relative(".", join(dirname(file), path))}`,
    ),
  );
  expect(late).toContain("./nodeproxy/serve-control.ts");
  for (const file of late) expect(dockerfile).toContain(`--import ${file}`);
  const keeper = readFileSync("nodeproxy/keeper-main.ts", "utf8");
  for (const name of ["CONTROL", "TRAFFIC"]) {
    const [, flags = ""] = new RegExp(`${name}_FLAGS = \\[([^\\]]+)\\]`).exec(keeper) ?? [];
    expect(dockerfile.replaceAll(/\\\n +/g, "")).toContain(
      `node ${flags.replaceAll(/[",]/g, "")} --import`,
    );
  }
});

test("traffic-main.ts: what serves HTTP is not loaded before a connection asks for it", () => {
  // Told by Node itself as the program ends: its own modules, and those of ours.
  const tell = `data:text/javascript,${encodeURIComponent(`
    import { registerHooks } from "node:module";
    const ours = [];
    registerHooks({ load: (url, context, next) => { ours.push(url); return next(url, context); } });
    process.on("exit", () => console.log(JSON.stringify([...ours, ...process.moduleLoadList])));
  `)}`;
  const args = ["--import", tell, "nodeproxy/traffic-main.ts", "--help"];
  const { stdout, status } = spawnSync(process.execPath, args, { encoding: "utf8" });
  expect(status).toBe(0);
  const loaded = JSON.parse(stdout.trimEnd().split("\n").at(-1) ?? "") as readonly string[];
  function has(part: string): boolean {
    return loaded.some((name) => name.includes(part));
  }
  expect(has("nodeproxy/inbound/carry-in.ts")).toBe(true);
  const late = [
    "/serve-requests.ts",
    "/serve-caller.ts",
    "/http1-",
    "/http/http2-",
    "/message-session.ts",
    "internal/http2/core",
    "undici",
    "_http_",
  ];
  expect(late.filter(has)).toEqual([]);
});
