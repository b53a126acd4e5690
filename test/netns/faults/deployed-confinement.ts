/**
 * Runs a node proxy with what `deploy/node-proxy.yaml` gives its container and no more: capabilities,
 * supplementary groups, the traffic process's user. So the manifest is what the story tests.
 */
import { spawnSync } from "node:child_process";
import { chmodSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { parseAllDocuments } from "yaml";
import type { Confinement } from "../../world/mesh.ts";

const ROOT = resolve(import.meta.dirname, "../../..");

/** `place`: a folder of the caller's own mount namespace, where any user may look. */
export function deployedConfinement(place: string): Confinement {
  const { container, groups, grace } = readDaemonSet();
  const capabilities = container.securityContext.capabilities.add.map((name) => name.toLowerCase());
  const sets = ["bounding-set", "inh-caps"].map(
    (set) => `--${set}=-all,${capabilities.map((name) => `+${name}`).join(",")}`,
  );
  const trafficUser = container.env.find(({ name }) => name === "WEFT_TRAFFIC_USER")?.value;
  if (trafficUser === undefined) throw new Error("deploy/node-proxy.yaml: no WEFT_TRAFFIC_USER");
  const node = join(place, "node");
  const root = join(place, "weft");
  mkdirSync(root, { recursive: true });
  writeFileSync(node, "");
  mount(process.execPath, node);
  mount(ROOT, root);
  return {
    trafficUser,
    node,
    root,
    graceSeconds: String(grace),
    compiled: compile(place, { node, root, trafficUser }),
    wrapper: ["setpriv", ...sets, `--groups=${[0, ...groups].join(",")}`],
  };
}

/** As `deploy/Dockerfile` does. */
function compile(
  place: string,
  { node, root, trafficUser }: Pick<Confinement, "node" | "root" | "trafficUser">,
): string {
  const compiled = join(place, "compiled");
  const [uid = "", gid = ""] = trafficUser.split(":");
  mkdirSync(compiled);
  chmodSync(compiled, 0o1777);
  const env = { ...process.env, NODE_COMPILE_CACHE: compiled };
  for (const part of ["keeper", "control", "traffic"]) {
    const user = part === "traffic" ? { uid: Number(uid), gid: Number(gid) } : {};
    const args = imageArguments(part);
    const done = spawnSync(node, args, { cwd: root, env, encoding: "utf8", ...user });
    if (done.status !== 0) throw new Error(`node ${args.join(" ")}: ${done.stderr}`);
  }
  chmodSync(compiled, 0o755);
  return compiled;
}

/** What `deploy/Dockerfile` gives Node to compile that program, with the flags and all that it loads late. */
function imageArguments(part: string): readonly string[] {
  const text = readFileSync(join(ROOT, "deploy/Dockerfile"), "utf8").replaceAll("\\\n", " ");
  const command = new RegExp(
    `&& (?:setpriv .*?)?\\bnode ([^&]*nodeproxy/${part}-main\\.ts --help)`,
  );
  const [, args] = command.exec(text) ?? [];
  if (args === undefined) throw new Error(`deploy/Dockerfile does not compile ${part}-main.ts`);
  return args.trim().split(/\s+/);
}

interface Container {
  readonly env: readonly { readonly name: string; readonly value?: string }[];
  readonly securityContext: { readonly capabilities: { readonly add: readonly string[] } };
}

interface Deployed {
  readonly container: Container;
  readonly groups: readonly number[];
  /** Seconds. */
  readonly grace: number;
}

function readDaemonSet(): Deployed {
  const text = readFileSync(join(ROOT, "deploy/node-proxy.yaml"), "utf8");
  const daemonSet = parseAllDocuments(text)
    .map((document) => document.toJS())
    .find(({ kind }) => kind === "DaemonSet");
  const pod = daemonSet.spec.template.spec;
  return {
    container: pod.containers[0],
    groups: pod.securityContext?.supplementalGroups ?? [],
    grace: pod.terminationGracePeriodSeconds,
  };
}

function mount(from: string, to: string): void {
  const done = spawnSync("mount", ["--bind", from, to], { encoding: "utf8" });
  if (done.status !== 0) throw new Error(`mount --bind ${from} ${to}: ${done.stderr}`);
}
