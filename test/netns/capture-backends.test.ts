/**
 * The two back ends of iptables: a pod's rules by nft, and by legacy too where somebody uses that; first in both, the
 * same after a second time, and gone without a trace. Another mesh's init container plays the somebody.
 */
import { execFile, execFileSync } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, symlinkSync } from "node:fs";
import type { Server, Socket } from "node:net";
import { Socket as NetSocket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { NOTHING_EXCLUDED } from "../../core/model/capture-exclusions.ts";
import {
  applyRules,
  areRedirected,
  brokenFamilies,
  removeRules,
  stopRedirecting,
} from "../../nodeproxy/capture/apply-rules.ts";
import { auditRules } from "../../nodeproxy/capture/audit.ts";
import { runInNamespace } from "../../nodeproxy/capture/run-in-namespace.ts";
import { originalDestination } from "../../nodeproxy/sys/original-destination.ts";
import { openTransparentSocket } from "../../nodeproxy/sys/tcp-socket.ts";
import {
  createPodNetwork,
  descriptorOf,
  listenInPod,
  nextText,
  type PodNetwork,
  startFromPod,
} from "./pod-network.ts";

const BOTH = { possible: [4, 6], required: [4, 6], exclusions: NOTHING_EXCLUDED } as const;
const APP = 8080;
/** Where the other mesh's proxy would listen. */
const STRANGER = 15_999;
const FLAVOURS = ["nft", "legacy"] as const;
const PROGRAMS = FLAVOURS.flatMap((flavour) => [`iptables-${flavour}`, `ip6tables-${flavour}`]);

let network: PodNetwork;
const servers: Server[] = [];
const sockets = new Set<Socket>();

beforeEach(async () => {
  network = createPodNetwork("wc-back");
  for (const pod of [network.a, network.b]) {
    for (const family of [4, 6] as const) {
      for (const port of [APP, 15_001, 15_006, 15_008, STRANGER]) {
        const server = await listenInPod(pod, { port, family }, (socket) => {
          const original =
            port === APP ? undefined : originalDestination(descriptorOf(socket), family);
          follow(socket).write(original ? `${port} for ${original.port}` : "app");
        });
        servers.push(server);
      }
    }
  }
});

afterEach(async () => {
  for (const socket of sockets) socket.destroy();
  await Promise.all(servers.splice(0).map((server) => once(server.close(), "close")));
  await network[Symbol.asyncDispose]();
});

function follow(socket: Socket): Socket {
  sockets.add(socket);
  socket.on("error", () => socket.destroy());
  socket.on("close", () => sockets.delete(socket));
  return socket;
}

async function greeting(socket: Socket): Promise<string> {
  const text = await nextText(follow(socket));
  socket.destroy();
  return text;
}

async function runInA(command: string): Promise<string> {
  const { code, stdout, stderr } = await runInNamespace(network.a.namespace, command.split(" "));
  if (code !== 0) throw new Error(`${command}: ${stderr}`);
  return stdout;
}

/** Both directions, both families: where does a connection to and from pod a end up? */
async function ways(): Promise<readonly string[]> {
  const { a, b } = network;
  const all = [startFromPod(a, b.v4, APP), startFromPod(a, b.v6, APP)];
  all.push(startFromPod(b, a.v4, APP), startFromPod(b, a.v6, APP));
  return Promise.all(all.map(greeting));
}

const CAPTURED = ["15001 for 8080", "15001 for 8080", "15006 for 8080", "15006 for 8080"];
const TAKEN = Array<string>(4).fill(`${STRANGER} for 8080`);
const OPEN = Array<string>(4).fill("app");

/** As istio-init does it: own chains, entered from the end of the built-in ones. */
async function intrude(flavour: (typeof FLAVOURS)[number]): Promise<void> {
  for (const program of [`iptables-${flavour}`, `ip6tables-${flavour}`]) {
    await runInA(`${program} -t nat -N OTHER_REDIRECT`);
    await runInA(`${program} -t nat -A OTHER_REDIRECT -p tcp -j REDIRECT --to-ports ${STRANGER}`);
    for (const chain of ["PREROUTING", "OUTPUT"]) {
      await runInA(`${program} -t nat -A ${chain} -p tcp -j OTHER_REDIRECT`);
    }
  }
}

/** Everything that a packet of pod a can meet, without counters and without tables in which nothing stands. */
async function footprint(programs: readonly string[] = PROGRAMS): Promise<string> {
  const parts: string[] = [];
  for (const program of programs) {
    const saved = await runInA(`${program}-save`);
    const lines = saved.split("\n").filter((line) => /^(?:-A|:[^ ]+ -)/.test(line));
    parts.push(program, ...lines.map((line) => line.replace(/ \[.*\]$/, "")));
  }
  for (const what of ["rule show", "route show table all"]) {
    for (const family of ["-4", "-6"]) parts.push(await runInA(`ip ${family} ${what}`));
  }
  // Link-local addresses come when the kernel has made sure of them.
  return parts.join("\n").replace(/^.*fe80.*\n/gm, "");
}

test("applyRules(): legacy tables that nobody uses are not made", async () => {
  const { a } = network;
  const { entries } = await applyRules(a.namespace, BOTH);
  expect(entries.map(({ flavour }) => flavour)).toEqual(["nft", "nft"]);
  await removeRules(a.namespace, [4, 6]);
  expect(await runInA("cat /proc/self/net/ip_tables_names")).toBe("");
});

for (const flavour of FLAVOURS) {
  test(`applyRules(): another mesh's rules by ${flavour}, older than ours, do not get a connection, and stay`, async () => {
    const { a, b } = network;
    await intrude(flavour);
    expect(await ways()).toEqual(TAKEN);
    const before = await footprint();
    const { entries } = await applyRules(a.namespace, BOTH);
    expect(await greeting(startFromPod(b, a.v4, 15_008))).toBe("15008 for 15008");
    const used = flavour === "nft" ? ["nft", "nft"] : ["nft", "legacy", "nft", "legacy"];
    expect(entries.map((entry) => entry.flavour)).toEqual(used);
    expect(await ways()).toEqual(CAPTURED);
    const fd = openTransparentSocket({ namespace: a.namespace, family: 6 }, b.v6);
    expect(await greeting(new NetSocket({ fd }).connect({ host: a.v6, port: APP }))).toBe("app");
    await stopRedirecting(a.namespace, [4, 6]);
    expect(await ways()).toEqual(TAKEN);
    await removeRules(a.namespace, [4, 6]);
    expect(await footprint()).toBe(before);
  });

  test(`auditRules(): another mesh's rules by ${flavour} that come after ours, and before them, change nothing for long`, async () => {
    const { a } = network;
    const applied = await applyRules(a.namespace, BOTH);
    await intrude(flavour);
    for (const program of [`iptables-${flavour}`, `ip6tables-${flavour}`]) {
      await runInA(`${program} -t nat -I OUTPUT 1 -p tcp --dport ${APP} -j OTHER_REDIRECT`);
    }
    expect(await brokenFamilies(a.namespace, applied)).toEqual([4, 6]);
    const { rules, repaired } = await auditRules(a.namespace, applied, [4, 6]);
    expect(repaired).toEqual([4, 6]);
    expect(await ways()).toEqual(CAPTURED);
    expect(await brokenFamilies(a.namespace, rules)).toEqual([]);
    await removeRules(a.namespace, [4, 6]);
    expect(await areRedirected(a.namespace, [4])).toBe(false);
    expect(await footprint()).not.toContain("WEFT");
  });
}

test("applyRules(): once and twice and from before are the same, byte for byte, in both back ends", async () => {
  const { a } = network;
  await intrude("legacy");
  const before = await footprint();
  await applyRules(a.namespace, BOTH);
  const once = await footprint();
  await applyRules(a.namespace, BOTH);
  expect(await footprint()).toBe(once);
  await removeRules(a.namespace, [4, 6]);
  await removeRules(a.namespace, [4, 6]);
  expect(await footprint()).toBe(before);
  await applyRules(a.namespace, BOTH);
  expect(await footprint()).toBe(once);
});

/** A machine that has these programs and no others. */
async function onMachineWith(programs: readonly string[], verb: string): Promise<unknown> {
  const directory = mkdtempSync(join(tmpdir(), "weft-programs-"));
  for (const name of ["nsenter", "ip", "cat", ...programs]) {
    const found = execFileSync("sh", ["-c", `command -v ${name}`], { encoding: "utf8" }).trim();
    symlinkSync(found, join(directory, name));
  }
  const args = [join(import.meta.dirname, "backends", "main.ts"), network.a.path, verb];
  try {
    const { stdout } = await promisify(execFile)(process.execPath, args, {
      env: { PATH: directory },
    });
    return JSON.parse(stdout || "null");
  } finally {
    rmSync(directory, { recursive: true });
  }
}

function programsOf(flavour: (typeof FLAVOURS)[number]): readonly string[] {
  return ["iptables", "ip6tables"].flatMap((family) =>
    ["", "-save", "-restore"].map((verb) => `${family}-${flavour}${verb}`),
  );
}

test("applyRules(): where there is no nft everything goes by legacy: applied, audited, removed", async () => {
  const legacyOnly = programsOf("legacy");
  const names = ["iptables-legacy", "ip6tables-legacy"];
  const before = await footprint(names);
  expect(await onMachineWith(legacyOnly, "apply")).toEqual({ flavours: ["legacy", "legacy"] });
  expect(await ways()).toEqual(CAPTURED);
  expect(await areRedirected(network.a.namespace, [4, 6])).toBe(true);
  expect(await onMachineWith(legacyOnly, "audit")).toEqual({ broken: [6], stillBroken: [] });
  expect(await ways()).toEqual(CAPTURED);
  await onMachineWith(legacyOnly, "remove");
  expect(await ways()).toEqual(OPEN);
  expect(await footprint(names)).toBe(before);
});

test("applyRules(): a repair that fails leaves a captured pod's rules, a first capture that fails leaves none", async () => {
  const { a } = network;
  const failed = { failed: expect.stringContaining("iptables-legacy") };
  await applyRules(a.namespace, BOTH);
  // Legacy tables are in use from here on, and the program that could write them is away.
  await runInA("iptables-legacy -t nat -L");
  const whole = await footprint();
  expect(await onMachineWith(programsOf("nft"), "repair")).toEqual(failed);
  expect(await footprint()).toBe(whole);
  expect(await ways()).toEqual(CAPTURED);
  expect(await onMachineWith(programsOf("nft"), "apply")).toEqual(failed);
  expect(await footprint()).not.toContain("WEFT");
});
