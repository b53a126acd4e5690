/**
 * `npm run cluster -- up|down|kubeconfig`: a cluster to try things on by hand, the same that the
 * tests use. `up --weft` installs the mesh into it.
 */
import { parseArgs } from "node:util";
import { attachCluster, createCluster } from "./cluster.ts";
import { installWeft } from "./install-weft.ts";

const USAGE = `usage: npm run cluster -- up [--weft] [--nodes N] [--name NAME]
       npm run cluster -- down [--name NAME]
       npm run cluster -- kubeconfig [--name NAME]
`;

async function up(name: string, nodes: number, weft: boolean): Promise<void> {
  const began = Date.now();
  const cluster = await createCluster({ name, nodes });
  try {
    if (weft) {
      await installWeft(cluster);
    }
  } catch (error) {
    await cluster.close();
    throw error;
  }
  const seconds = ((Date.now() - began) / 1000).toFixed(1);
  console.log(`cluster ${name}: ${nodes} nodes ready after ${seconds} s`);
  console.log(`export KUBECONFIG=${cluster.kubeconfig}`);
  console.log(`export PATH=${cluster.dir}/bin:$PATH`);
}

async function down(name: string): Promise<void> {
  const cluster = attachCluster(name);
  if (cluster === undefined) {
    console.log(`no cluster ${name}`);
    return;
  }
  await cluster.close();
  console.log(`cluster ${name} removed`);
}

function printKubeconfig(name: string): number {
  const cluster = attachCluster(name);
  console.log(cluster?.kubeconfig ?? `no cluster ${name}`);
  return cluster === undefined ? 1 : 0;
}

/** Whatever was begun when the user lost patience is removed before the process ends. */
function removeOnInterrupt(name: string): void {
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    process.once(signal, () => {
      void down(name).finally(() => process.exit(130));
    });
  }
}

async function main(): Promise<number> {
  const { positionals, values } = parseArgs({
    allowPositionals: true,
    options: {
      name: { type: "string", default: "dev" },
      nodes: { type: "string", default: "2" },
      weft: { type: "boolean", default: false },
    },
  });
  switch (positionals[0] ?? "") {
    case "up":
      removeOnInterrupt(values.name);
      await up(values.name, Number(values.nodes), values.weft);
      return 0;
    case "down":
      await down(values.name);
      return 0;
    case "kubeconfig":
      return printKubeconfig(values.name);
    default:
      console.error(USAGE);
      return 2;
  }
}

process.exitCode = await main();
