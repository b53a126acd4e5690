/** The operator away twice, each time longer, with leaves that live a minute and a half. */
import { join } from "node:path";
import { writeManifest } from "../../world/manifests.ts";
import { adminGet, renewLeaves } from "../../world/mesh.ts";
import { until } from "../../world/until.ts";
import { createWireTap } from "../../world/wire-tap.ts";
import type { WorldNode } from "../../world/world.ts";
import { SECRET } from "../faults/load-messages.ts";
import { type LoadOutcome, loadOutcome } from "../faults/outcome.ts";
import { type FaultStage, SERVICE } from "../faults/stage.ts";
import { type Place, Secrets, type SecretsFound } from "./secrets.ts";

const LIFE_MS = 90_000;
/** Left of a leaf whose time to be renewed is over, whatever is random in that: enough for the way back. */
const LEFT_MS = 33_000;

export interface OutageOutcome {
  /** Away until every leaf was to be renewed, and back in time. */
  readonly half: LoadOutcome;
  /** Away until every leaf has ended: who was called, and with what. */
  readonly ended: readonly string[];
  /** The same calls with the operator back, and nothing else done. */
  readonly recovered: readonly string[];
  readonly wire: {
    readonly tlsBytes: number;
    readonly otherBytes: number;
    readonly sawText: boolean;
  };
  readonly secrets: SecretsFound;
  /** Every page that a program of the mesh serves. */
  readonly pages: readonly string[];
}

export async function tellOutage(stage: FaultStage): Promise<OutageOutcome> {
  await stage.begin();
  const tap = createWireTap({
    interfaceName: "link-node1",
    addressPrefix: "10.244.",
    text: SECRET,
  });
  const secrets = new Secrets(stage.folder);
  secrets.learn();
  await shortenLives(stage);
  secrets.learn();
  const half = await awayForHalf(stage);
  secrets.learn();
  const pages = await readPages(stage);
  const ended = await awayForWhole(stage);
  await stage.startOperator(stage.world.nodes.map(({ name }) => name));
  for (const node of stage.world.nodes) await stage.untilServing(node);
  const recovered = await callAll(stage);
  secrets.learn();
  pages.push(...(await readPages(stage)));
  await stage.close();
  return {
    half,
    ended,
    recovered,
    wire: tap.finish(),
    secrets: secrets.find(pages),
    pages: [...new Set(pages.map(({ name }) => name))],
  };
}

async function shortenLives(stage: FaultStage): Promise<void> {
  writeManifest(join(stage.folder, "manifests"), "mesh-config.yaml", [
    {
      apiVersion: "weft.dev/v1",
      kind: "MeshConfig",
      metadata: { name: "default" },
      spec: { certificates: { leafLifetime: "90s" } },
    },
  ]);
  for (const node of stage.world.nodes) {
    await until(`short leaves on ${node.name}`, async () => {
      await renewLeaves(node);
      const ends = await endsOf(node);
      return ends.length > 0 && Math.max(...ends) <= Date.now() + LIFE_MS ? true : undefined;
    });
  }
}

async function awayForHalf(stage: FaultStage): Promise<LoadOutcome> {
  const { nodes } = stage.world;
  const tally = await stage.underLoad(SERVICE, async () => {
    await stage.killOperator();
    const before = Math.min(...(await allEnds(stage)));
    await until(
      "every leaf's time to be renewed to be over",
      () => (Date.now() > before - LEFT_MS ? true : undefined),
      LIFE_MS,
    );
    await stage.startOperator(nodes.map(({ name }) => name));
    await until("every leaf to be renewed", async () =>
      Math.min(...(await allEnds(stage))) > before + LEFT_MS ? true : undefined,
    );
  });
  return loadOutcome(tally, []);
}

async function awayForWhole(stage: FaultStage): Promise<readonly string[]> {
  await stage.killOperator();
  await until(
    "every leaf to have ended",
    async () => ((await allEnds(stage)).length === 0 ? true : undefined),
    2 * LIFE_MS,
  );
  return callAll(stage);
}

async function callAll(stage: FaultStage): Promise<readonly string[]> {
  // One after the other: a pod answers one question at a time.
  return [
    await stage.call("web", stage.at("api-2", 8080)),
    await stage.call("far", stage.at("api-1", 8080)),
    await stage.call("web", stage.at("api-1", 8080)),
  ];
}

async function allEnds(stage: FaultStage): Promise<readonly number[]> {
  return (await Promise.all(stage.world.nodes.map(endsOf))).flat();
}

/** Of the leaves that the node serves. */
async function endsOf(node: WorldNode): Promise<readonly number[]> {
  const { certificates } = await adminGet<{
    readonly certificates: readonly { readonly notAfter: string }[];
  }>(node, "/certificates");
  return certificates.map(({ notAfter }) => Date.parse(notAfter));
}

/** All that is served without a client certificate: a server that does not know an address lists those that it does. */
async function readPages({ world }: FaultStage): Promise<Place[]> {
  const bases = [
    `http://${world.hostAddress}:15014`,
    ...world.nodes.flatMap(({ address }) =>
      [15000, 15020, 15021].map((port) => `http://${address}:${port}`),
    ),
  ];
  const pages = await Promise.all(
    bases.map(async (base) => {
      const list = await (await fetch(`${base}/nothing-here`)).text();
      const paths = [...list.matchAll(/^GET (\/\S*)$/gm)].map(([, path = ""]) => path);
      return Promise.all(paths.map(async (path) => readPage(base + path)));
    }),
  );
  return pages.flat();
}

async function readPage(name: string): Promise<Place> {
  return { name, text: await (await fetch(name)).text() };
}
