/**
 * The demo's story: each step does something to the running mesh and returns what it measured.
 *
 * A step never claims: what it returns was counted, captured from the wire or read from a log.
 */
import { readFileSync } from "node:fs";
import { removeManifest, writeManifest } from "../world/manifests.ts";
import { accessLogFile, adminGet, type Mesh, renewLeaves } from "../world/mesh.ts";
import type { Program } from "../world/program.ts";
import { until } from "../world/until.ts";
import { createWireTap, type WireReading } from "../world/wire-tap.ts";
import type { World, WorldNode } from "../world/world.ts";
import { DENY_WEB } from "./manifests.ts";
import type { Tally } from "./shop-messages.ts";
import { answerOf, requests, tellShop } from "./shop-programs.ts";
import type { Summary } from "./summary.ts";

const REQUESTS = 120;
const LOAD_WORKERS = 4;
const SPOKEN_TEXT = "demo-plaintext-marker";
const POLICY_FILE = "deny-web.yaml";

export interface Stage {
  readonly world: World;
  readonly mesh: Mesh;
  readonly web: Program;
}

/** The wire is read before the first byte is sent, else a flow's beginning would be missing. */
export async function meetTheShop(stage: Stage): Promise<{ tally: Tally; wire: WireReading }> {
  const tap = createWireTap({
    interfaceName: "link-node1",
    addressPrefix: "10.244.",
    text: SPOKEN_TEXT,
  });
  try {
    return { tally: await requests(stage.web, REQUESTS), wire: tap.finish() };
  } catch (cause) {
    tap.finish();
    throw cause;
  }
}

interface AccessLine {
  readonly direction: string;
  readonly sourceIdentity?: string;
  readonly destinationIdentity?: string;
}

/** Who called whom, as the proxy of the called pod verified it in the caller's certificate, and the other way round. */
export function identitiesSeen(stage: Stage): Summary["identities"] {
  const lines = stage.world.nodes.flatMap((node) => accessLines(stage.mesh.folder, node));
  const inbound = lines.find(
    (line) => line.direction === "inbound" && line.sourceIdentity?.endsWith("/sa/web"),
  );
  const outbound = lines.find(
    (line) => line.direction === "outbound" && line.destinationIdentity?.endsWith("/sa/api"),
  );
  return {
    client: inbound?.sourceIdentity ?? "",
    server: outbound?.destinationIdentity ?? "",
  };
}

function accessLines(folder: string, node: WorldNode): readonly AccessLine[] {
  return readFileSync(accessLogFile(folder, node.name), "utf8")
    .split("\n")
    .filter((line) => line.startsWith("{"))
    .map((line) => JSON.parse(line) as AccessLine);
}

/** Writes a DENY while a connection that it forbids is open, and takes it back. */
export async function denyAndAllow(
  stage: Stage,
): Promise<{ denyAppliedMs: number; openConnectionClosed: boolean; closedAfterMs: number }> {
  const { web, mesh } = stage;
  const held = answerOf(web, "held");
  tellShop(web, { kind: "hold" });
  await held;
  const closed = answerOf(web, "hold_closed");
  const refused = answerOf(web, "seen");
  tellShop(web, { kind: "until", outcome: "refused" });
  const writtenMs = performance.timeOrigin + performance.now();
  writeManifest(mesh.manifests, POLICY_FILE, [DENY_WEB]);
  const denyAppliedMs = (await refused).atMs - writtenMs;
  const closedAtMs = await Promise.race([closed.then(({ atMs }) => atMs), afterMs(30_000)]);
  removeManifest(mesh.manifests, POLICY_FILE);
  const answered = answerOf(web, "seen");
  tellShop(web, { kind: "until", outcome: "answered" });
  if (Number.isNaN((await answered).atMs))
    throw new Error("web stays denied after the DENY is gone");
  return {
    denyAppliedMs: round(denyAppliedMs),
    openConnectionClosed: closedAtMs !== undefined,
    closedAfterMs: round((closedAtMs ?? Number.NaN) - writtenMs),
  };
}

function afterMs(limitMs: number): Promise<undefined> {
  return new Promise((resolve) => {
    setTimeout(resolve, limitMs, undefined).unref();
  });
}

function round(ms: number): number {
  return Math.round(ms * 10) / 10;
}

interface ServedCertificate {
  readonly identity: string;
  readonly serial: string;
}

async function serials(node: WorldNode): Promise<ReadonlyMap<string, string>> {
  const { certificates } = await adminGet<{ certificates: readonly ServedCertificate[] }>(
    node,
    "/certificates",
  );
  return new Map(certificates.map(({ identity, serial }) => [identity, serial]));
}

const ROTATE_FOR_MS = 2_500;

/** Renews every leaf of both nodes again and again under load; a rotation counts once its serial is served. */
export async function rotateUnderLoad(stage: Stage): Promise<Summary["rotation"]> {
  const tally = answerOf(stage.web, "tally");
  tellShop(stage.web, { kind: "load", workers: LOAD_WORKERS });
  const endMs = performance.now() + ROTATE_FOR_MS;
  let rotations = 0;
  while (performance.now() < endMs) {
    const changed = await Promise.all(stage.world.nodes.map(rotateNode));
    rotations += changed.reduce((sum, count) => sum + count, 0);
  }
  tellShop(stage.web, { kind: "stop_load" });
  const { requests: sent, failed } = (await tally).tally;
  return { requests: sent, failed, rotations };
}

async function rotateNode(node: WorldNode): Promise<number> {
  const before = await serials(node);
  await renewLeaves(node);
  return until(`new certificates on ${node.name}`, async () => {
    const after = await serials(node);
    const isNew = [...before].every(([identity, serial]) => after.get(identity) !== serial);
    return isNew ? before.size : undefined;
  });
}

/** SIGKILL: nothing is said to the node proxies, they find their operator gone. */
export async function withoutOperator(stage: Stage): Promise<Summary["operatorDown"]> {
  await stage.mesh.operator.stop("SIGKILL");
  const { requests: sent, failed } = await requests(stage.web, REQUESTS);
  return { requests: sent, failed };
}
