/**
 * A whole mesh with the plugin of docs/plugins.md as it stands there, and then one that fails in each way, and what a
 * caller sees of them, printed as JSON. Run by `a-plugin-sees-requests.test.ts`; isolates itself, so nothing of it
 * outlives it.
 */
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseAllDocuments } from "yaml";
import { isIsolated, prepareIsolated, runIsolated } from "../../world/isolate.ts";
import { removeManifest, writeManifest } from "../../world/manifests.ts";
import { type Mesh, startMesh } from "../../world/mesh.ts";
import { startProgram } from "../../world/program.ts";
import { until } from "../../world/until.ts";
import { createWorld, type World } from "../../world/world.ts";
import type { PluginOutcome } from "./outcome.ts";

const ADDRESS = "10.96.0.10";
const PORT = 8080;
const PODS = [
  { namespace: "shop", name: "web", serviceAccount: "web", labels: {}, node: "node1" },
  { namespace: "shop", name: "api", serviceAccount: "api", labels: { app: "api" }, node: "node2" },
];

/** Says what it was asked. */
const SERVE = `require("http").createServer((request, response) => response.end("app " + request.url + " " + JSON.stringify(request.headers)))
  .listen(${PORT}, () => process.send("ready"))`;
/** All at once, by a connection each; in the order of the paths. */
const CALL = `
  const { request } = require("http");
  const asked = process.argv.slice(2).map((path) => new Promise((resolve) => {
    const headers = { host: "api", ...(process.argv[1] && { "x-tenant": process.argv[1] }) };
    const sent = request({ host: "${ADDRESS}", port: 80, path, headers, agent: false }, (response) => {
      let text = "";
      response.on("data", (data) => (text += data))
        .on("end", () => resolve(response.statusCode + " " + (response.headers["x-weft-reason"] ?? "-") + " " + text));
    });
    sent.on("error", (error) => resolve(error.code)).end();
  }));
  Promise.all(asked).then((answers) => console.log(JSON.stringify(answers)));`;
/** Fails as the path says. */
const FAULTY = `
  export const schema = { type: "object", properties: { bad: false } };
  export function create() {
    return {
      onRequest({ path }: { path: string }) {
        if (path === "/stall") for (;;);
        if (path === "/throw") throw new Error("thrown on purpose");
        return { fields: { set: { "x-faulty": "seen" } } };
      },
    };
  }`;

process.exit(isIsolated() ? await inside() : await runIsolated());

async function inside(): Promise<number> {
  const folder = mkdtempSync(join(tmpdir(), "weft-plugins-"));
  await prepareIsolated(() => process.exit(130));
  const world = createWorld(["node1", "node2"], PODS);
  const services = [{ name: "api", address: ADDRESS, port: 80, targetPort: PORT }];
  const mesh = await startMesh(world, { folder, services });
  try {
    await serve(mesh, world.pods[1]);
    process.stdout.write(JSON.stringify(await tell(mesh, world)));
    return 0;
  } finally {
    await mesh.close();
    rmSync(folder, { recursive: true, force: true });
  }
}

async function serve({ folder }: Mesh, pod: World["pods"][number] | undefined): Promise<void> {
  const { child } = startProgram({
    name: "api",
    netns: pod?.netns ?? "",
    channel: true,
    logFile: join(folder, "logs/api.log"),
    command: [process.execPath, "-e", SERVE],
  });
  await new Promise((resolve) => child.once("message", resolve));
}

async function tell(mesh: Mesh, world: World): Promise<PluginOutcome> {
  writeManifest(mesh.manifests, "plugins.yaml", documented());
  const unknown = await answerWith("plugin_answered", () => call(world, "nobody"));
  const known = await answerWith("x-tenant-pool", () => call(world, "acme"));
  removeManifest(mesh.manifests, "plugins.yaml");
  putFaulty(mesh, {});
  await answerWith('"x-faulty":"seen"', () => call(world, ""));
  const [stalled = "", behind = ""] = call(world, "", "/stall", "/behind");
  const [thrown = ""] = call(world, "", "/throw");
  putFaulty(mesh, { config: { bad: 1 } });
  const badConfig = await answerWith("plugin_config_invalid", () => call(world, ""));
  putFaulty(mesh, { failOpen: true });
  const open = await answerWith("200", () => call(world, "", "/throw"));
  putFaulty(mesh, {});
  removeManifest(mesh.manifests, "code.yaml");
  const missing = await answerWith("plugin_missing", () => call(world, ""));
  return { known, unknown, stalled, behind, thrown, badConfig, missing, open };
}

/** The first block of the page. */
function documented(): readonly object[] {
  const page = readFileSync("docs/plugins.md", "utf8");
  const [, block = ""] = /^```yaml\n([\s\S]*?)^```$/m.exec(page) ?? [];
  return parseAllDocuments(block).map((document) => document.toJS() as object);
}

function putFaulty(
  { manifests }: Mesh,
  { config, failOpen = false }: { readonly config?: object; readonly failOpen?: boolean },
): void {
  const metadata = {
    name: "faulty",
    namespace: "weft-system",
    labels: { "weft.dev/plugin": "true" },
  };
  writeManifest(manifests, "code.yaml", [
    { apiVersion: "v1", kind: "ConfigMap", metadata, data: { "main.ts": FAULTY } },
  ]);
  const configMap = { name: "faulty", key: "main.ts" };
  const plugin = { name: "faulty", configMap, timeout: "5s", failOpen };
  writeManifest(manifests, "mesh.yaml", [
    { ...weft("MeshConfig", { name: "default" }), spec: { plugins: [plugin] } },
  ]);
  const targetRefs = [{ kind: "Service", name: "api" }];
  const http = { ports: [80], plugins: [{ name: "faulty", config: config ?? {} }] };
  writeManifest(manifests, "policy.yaml", [
    { ...weft("TrafficPolicy", { name: "faulty", namespace: "shop" }), spec: { targetRefs, http } },
  ]);
}

function weft(kind: string, metadata: object) {
  return { apiVersion: "weft.dev/v1", kind, metadata };
}

function answerWith(part: string, ask: () => readonly string[]): Promise<string> {
  return until(`an answer with ${part}`, () => {
    const [answer = ""] = ask();
    return answer.includes(part) ? answer : undefined;
  });
}

function call({ pods }: World, tenant: string, ...paths: readonly string[]): readonly string[] {
  const netns = pods[0]?.netns ?? "";
  const asked = paths.length > 0 ? paths : ["/orders?page=2"];
  const command = [`--net=${netns}`, process.execPath, "-e", CALL, tenant, ...asked];
  const done = spawnSync("nsenter", command, { encoding: "utf8" });
  if (done.status !== 0) throw new Error(done.stderr);
  return JSON.parse(done.stdout) as readonly string[];
}
