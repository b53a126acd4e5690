import { afterEach, expect, test } from "@jest/globals";
import type { PluginSettings } from "../../core/model/mesh-settings.ts";
import type { HookResult } from "./hook-result.ts";
import type { PluginRequest } from "./plugin-api.ts";
import { PluginHost } from "./plugin-host.ts";

const hosts: PluginHost[] = [];

afterEach(async () => {
  await Promise.all(hosts.splice(0).map((host) => host.close()));
});

/** Its time is long: where nothing stalls, a slow machine must not make it so. */
function hostOf(source: string, settings: Partial<PluginSettings> = {}): PluginHost {
  const host = new PluginHost({
    name: "test",
    source,
    timeoutMs: 30_000,
    failOpen: false,
    ...settings,
  });
  hosts.push(host);
  return host;
}

function ask(host: PluginHost, path: string, config = "null"): Promise<HookResult> {
  const request: PluginRequest = {
    method: "GET",
    path,
    query: "",
    authority: "shop",
    fields: [["x-tenant", "blue"]],
    source: { workload: "web", namespace: "shop", identity: "" },
    service: "shop/api",
    port: 80,
  };
  return host.call(config, { kind: "request", request });
}

function onRequest(body: string): string {
  return `export function create(config) { return { onRequest(request) { ${body} } }; }`;
}

function codeOf(result: HookResult): string {
  return result.kind === "failed" ? result.code : result.kind;
}

test("PluginHost: a hook is given plain data and its configuration, and may be written in TypeScript", async () => {
  const host = hostOf(`
    interface Config { readonly to: string }
    export function create(config: Config) {
      return { onRequest: async (request: { path: string }) => ({ path: config.to + request.path }) };
    }`);
  expect(await ask(host, "/a", '{"to":"/x"}')).toEqual({
    kind: "returned",
    value: { path: "/x/a" },
  });
  expect(await ask(host, "/b", '{"to":"/y"}')).toEqual({
    kind: "returned",
    value: { path: "/y/b" },
  });
});

test("PluginHost: a hook that throws fails its request only", async () => {
  const host = hostOf(onRequest(`if (request.path === "/bad") throw new TypeError("no"); `));
  const [before, bad, after] = await Promise.all(["/a", "/bad", "/b"].map((p) => ask(host, p)));
  expect(bad).toEqual({ kind: "failed", code: "plugin_failed", message: "TypeError: no" });
  expect([before?.kind, after?.kind]).toEqual(["returned", "returned"]);
});

test.each([
  ["loops", "for (;;);"],
  ["never settles", "return new Promise(() => {});"],
  ["loops in a microtask", "return Promise.resolve().then(() => { for (;;); });"],
])("PluginHost: a hook that %s fails its request only", async (_how, stall) => {
  const source = onRequest(`if (request.path === "/bad") { ${stall} }`);
  const host = hostOf(source, { timeoutMs: 500 });
  const asked = ["/a", "/bad", "/b", "/c"].map((path) => ask(host, path));
  const codes = (await Promise.all(asked)).map(codeOf);
  expect(codes).toEqual(["returned", "plugin_timeout", "returned", "returned"]);
});

test("PluginHost: what a hook leaves behind and loops ends with its thread, and fails no request", async () => {
  const source = onRequest(
    `if (request.path === "/bad" && !globalThis.seen) { globalThis.seen = true; (async () => { await 0; await 0; await 0; await 0; await 0; await 0; for (;;); })(); }`,
  );
  const host = hostOf(source, { timeoutMs: 5_000 });
  const codes = (await Promise.all([ask(host, "/bad"), ask(host, "/b")])).map(codeOf);
  // Whether its own answer was out already is the thread's affair.
  expect(codes[1]).toBe("returned");
}, 300_000);

test.each([
  ["its heap", "const all = []; for (;;) all.push({ all, at: all.length });"],
  ["buffers", "globalThis.kept = new Uint8Array(48 << 20).fill(1);"],
])(
  "PluginHost: a hook that fills %s fails its request only",
  async (_what, fill) => {
    const host = hostOf(onRequest(`if (request.path === "/bad") { ${fill} }`));
    const codes = (await Promise.all(["/a", "/bad", "/b"].map((p) => ask(host, p)))).map(codeOf);
    expect(codes).toEqual(["returned", "plugin_failed", "returned"]);
  },
  300_000,
);

test("PluginHost: a configuration that its schema refuses fails what is asked with it, and says where", async () => {
  const host = hostOf(`
    export const schema = { type: "object", required: ["to"], properties: { to: { type: "string", pattern: "^/" } } };
    export function create(config) { return { onRequest() { return { path: config.to }; } }; }`);
  const bad = await ask(host, "/", '{"to":1}');
  expect(bad).toMatchObject({ code: "plugin_config_invalid" });
  expect(bad.kind === "failed" && bad.message).toContain("#/to");
  expect(codeOf(await ask(host, "/", "{}"))).toBe("plugin_config_invalid");
  expect(codeOf(await ask(host, "/", '{"to":"/a"}'))).toBe("returned");
  expect(codeOf(await ask(host, "/", '{"to":1}'))).toBe("plugin_config_invalid");
});

test.each([
  ["does not parse", "export function create( {"],
  ["throws as it loads", "throw new Error('no');"],
  ["exports no create", "export const schema = {};"],
  ["has syntax that cannot be erased", "enum A { B } export function create() {}"],
  ["imports", "import fs from 'node:fs'; export function create() { return {}; }"],
])("PluginHost: a module that %s fails what is asked of it", async (_how, source) => {
  const host = hostOf(source);
  expect(codeOf(await ask(host, "/"))).toBe("plugin_failed");
  expect(codeOf(await ask(host, "/"))).toBe("plugin_failed");
});

test("PluginHost: a hook that is not there costs nothing, once that is known", async () => {
  const host = hostOf("export function create() { return {}; }");
  await ask(host, "/");
  expect(host.has("null", "request")).toBe(false);
  expect(await ask(host, "/")).toEqual({ kind: "none" });
});

test("PluginHost: more than a thousand at a time are not taken", async () => {
  const host = hostOf(onRequest(""));
  const asked = Array.from({ length: 1_100 }, () => ask(host, "/"));
  const codes = (await Promise.all(asked)).map(codeOf);
  expect(codes.filter((code) => code === "returned").length).toBeGreaterThanOrEqual(999);
  expect(codes).toContain("plugin_overloaded");
});

test("PluginHost: a plugin has nothing of Node's, of the network or of other threads", async () => {
  const names =
    "process require module exports __filename fetch WebSocket EventSource XMLHttpRequest Worker BroadcastChannel " +
    "MessageChannel SharedArrayBuffer Atomics WebAssembly localStorage navigator Buffer global console crypto " +
    "setTimeout setImmediate queueMicrotask performance";
  const tried = names.split(" ").map((name) => `${name}: typeof ${name}`);
  const sloppy = `sloppy: typeof new Function("return this.process")()`;
  const host = hostOf(onRequest(`return { ${[...tried, sloppy].join(", ")} };`));
  const result = await ask(host, "/");
  const found = result.kind === "returned" ? (result.value as Record<string, string>) : {};
  expect(Object.keys(found).length).toBe(tried.length + 1);
  expect(Object.entries(found).filter(([, type]) => type !== "undefined")).toEqual([]);
});

test("PluginHost: a plugin imports nothing, however it asks", async () => {
  const ways = {
    "/module": "import('node:fs')",
    "/file": "import('file:///etc/hostname')",
    "/itself": "import('weft-plugin:test')",
    "/data": "import('data:text/javascript,export default 1')",
    "/eval": "eval(\"import('node:fs')\")",
    "/function": "new Function(\"return import('node:net')\")()",
    "/indirect": "(0, eval)(\"import('node:worker_threads')\")",
  };
  const body = Object.entries(ways).map(
    ([path, way]) => `if (request.path === "${path}") return ${way}.then(() => "got it");`,
  );
  const host = hostOf(onRequest(body.join("\n")));
  const codes = await Promise.all(
    Object.keys(ways).map(async (path) => codeOf(await ask(host, path))),
  );
  expect(codes).toEqual(Object.keys(ways).map(() => "plugin_failed"));
});

test("PluginHost: nothing that is left to a plugin leads to a file, the network or a process", async () => {
  // All that can be reached from what is there, by properties and prototypes.
  const host = hostOf(
    onRequest(`
      const seen = new Set(); const found = [];
      function walk(value, path) {
        if ((typeof value !== "object" && typeof value !== "function") || value === null || seen.has(value)) return;
        seen.add(value);
        for (const key of Reflect.ownKeys(value)) {
          if (typeof key === "string" && /^(getBuiltinModule|binding|dlopen|readFileSync|spawn|createConnection|kill|env|argv)$/.test(key)) found.push(path + "." + key);
          const told = Reflect.getOwnPropertyDescriptor(value, key);
          for (const next of [told?.value, told?.get, told?.set]) walk(next, path + "." + String(key));
        }
        walk(Reflect.getPrototypeOf(value), path + ".__proto__");
      }
      walk(globalThis, "globalThis"); walk(request, "request"); walk(import.meta, "meta");
      return found.join();`),
  );
  expect(await ask(host, "/")).toEqual({ kind: "returned", value: "" });
});
