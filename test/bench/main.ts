/**
 * `npm run bench -- l4|http|authz|ca|propagation [--json] [--rounds N] [--seconds N] [--samples N]`: measures in one run, prints medians.
 *
 * Peers are given by WEFT_PEER_ZTUNNEL and WEFT_PEER_ENVOY; one that is not given is left out. `l4 --workers N` gives weft so
 * many worker threads; `l4 --scaling` measures beside 1, 100 and 10,000 open connections instead, and weft with `--workers 1,2`.
 * `http --targets ""` measures only what features add. `propagation` needs root and the test cluster: one that runs, by `--cluster NAME`, or one of its own.
 */
import { cpus, loadavg } from "node:os";
import { parseArgs } from "node:util";
import { runAuthzBench } from "./authz.ts";
import { runCaBench } from "./ca.ts";
import { envoyHttpTarget } from "./envoy-http-target.ts";
import { envoyTarget } from "./envoy-target.ts";
import { runHttp } from "./http.ts";
import { runHttpAdds } from "./http-adds.ts";
import { isolated } from "./isolated.ts";
import { runL4 } from "./l4.ts";
import { runPropagation } from "./propagation.ts";
import { runScaling } from "./scaling.ts";
import { weftHttpTarget } from "./weft-http-target.ts";
import { weftTarget } from "./weft-target.ts";
import { ztunnelTarget } from "./ztunnel-target.ts";

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    json: { type: "boolean" },
    rounds: { type: "string", default: "3" },
    seconds: { type: "string", default: "6" },
    targets: { type: "string" },
    scaling: { type: "boolean" },
    workers: { type: "string" },
    samples: { type: "string", default: "100" },
    cluster: { type: "string", default: "prop" },
  },
});
const BENCHES: Readonly<Record<string, () => Promise<number>>> = {
  l4,
  http,
  authz,
  ca,
  propagation,
};
const bench = BENCHES[positionals[0] ?? ""];
if (bench === undefined || positionals.length !== 1) {
  console.error(`usage: npm run bench -- ${Object.keys(BENCHES).join("|")} [--json] [--rounds N]`);
  process.exit(2);
}
process.exit(await bench());

async function authz(): Promise<number> {
  print(await runAuthzBench());
  return 0;
}

async function ca(): Promise<number> {
  print(await runCaBench());
  return 0;
}

async function propagation(): Promise<number> {
  const loadBefore = loadavg();
  const samples = Number(values.samples);
  const figures = await runPropagation({ samples, cluster: values.cluster });
  print({ ...figures, cpus: cpus().length, loadBefore, loadAfter: loadavg() });
  return 0;
}

async function l4(): Promise<number> {
  const rounds = Number(values.rounds);
  const wanted = values.targets?.split(",");
  return isolated(async (bench) => {
    const loadBefore = loadavg();
    const options = {
      ...bench,
      targets: givenTargets().filter(({ name }) => wanted === undefined || wanted.includes(name)),
      rounds,
      secondsPerLoad: Number(values.seconds),
    };
    const result = values.scaling
      ? { scaling: await runScaling({ ...options, workers: workerCounts() }) }
      : { targets: await runL4(options) };
    print({ rounds, cpus: cpus().length, loadBefore, loadAfter: loadavg(), ...result });
    return 0;
  });
}

async function http(): Promise<number> {
  const rounds = Number(values.rounds);
  const secondsPerLoad = Number(values.seconds);
  const wanted = values.targets?.split(",");
  const envoy = process.env["WEFT_PEER_ENVOY"];
  const all = [weftHttpTarget(), ...(envoy === undefined ? [] : [envoyHttpTarget(envoy)])];
  return isolated(async ({ folder, fortioProgram }) => {
    const loadBefore = loadavg();
    const targets = await runHttp({
      folder,
      fortioProgram,
      targets: all.filter(({ name }) => wanted === undefined || wanted.includes(name)),
      rounds,
      secondsPerLoad,
    });
    const adds = await runHttpAdds({ folder, fortioProgram, rounds, secondsPerLoad });
    const loads = { cpus: cpus().length, loadBefore, loadAfter: loadavg() };
    print({ rounds, ...loads, targets, ...adds });
    return 0;
  });
}

function workerCounts(): readonly number[] {
  return (values.workers ?? "1,2").split(",").map(Number);
}

function givenTargets() {
  const ztunnel = process.env["WEFT_PEER_ZTUNNEL"];
  const envoy = process.env["WEFT_PEER_ENVOY"];
  return [
    weftTarget(values.scaling || !values.workers ? {} : { flags: [`--workers=${values.workers}`] }),
    ...(ztunnel === undefined ? [] : [ztunnelTarget(ztunnel)]),
    ...(envoy === undefined ? [] : [envoyTarget(envoy)]),
  ];
}

function print(result: object): void {
  console.log(values.json ? JSON.stringify(result) : JSON.stringify(result, null, 2));
}
