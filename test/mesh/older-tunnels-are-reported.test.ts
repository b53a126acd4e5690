/** What a node's reports say of tunnels under an older CA: from the traffic process, through control, to the operator. */
import { EventEmitter, once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, expect, test } from "@jest/globals";
import type { NodeReport, OlderTunnels } from "../../core/model/node-report.ts";
import type { Resource } from "../../core/model/resource.ts";
import type { Running } from "../../core/process/drain.ts";
import { parseCertificatesPem } from "../../core/x509/pem.ts";
import { createTrafficLine, type TrafficLine } from "../../nodeproxy/channel/traffic-line.ts";
import { parseConfig } from "../../nodeproxy/config.ts";
import { startControl } from "../../nodeproxy/control-app.ts";
import { trafficLinePath } from "../../nodeproxy/traffic-line-path.ts";
import { LineCa, LineConfig, openLineOperator, silent } from "../fakes/line-operator.ts";

const [OLD, NEW] = ["a".repeat(64), "b".repeat(64)];
const ca = new LineCa();
const directory = mkdtempSync(join(tmpdir(), "weft-older-"));
const toClose: (() => Promise<void> | void)[] = [];

afterEach(async () => {
  for (const close of toClose.splice(0).reverse()) await close();
  rmSync(directory, { recursive: true });
});

/** Every report that the operator gets, waited for by what it must say. */
class Reports {
  readonly all: NodeReport[] = [];
  readonly #came = new EventEmitter();

  add(report: NodeReport): void {
    this.all.push(report);
    this.#came.emit("report");
  }

  async until(isMeant: (report: NodeReport) => boolean): Promise<NodeReport> {
    for (;;) {
      const last = this.all.at(-1);
      if (last && isMeant(last)) return last;
      await once(this.#came, "report");
    }
  }
}

function resources(issuer: string, version: string): Resource[] {
  const trustDomain = "cluster.local";
  const settings = {
    trustDomain,
    trustDomainAliases: [],
    leafLifetimeSeconds: 86_400,
    accessLog: true,
    outboundPolicy: "ALLOW_ANY",
  } as const;
  const pem = parseCertificatesPem(ca.rootsPem);
  const roots = pem.kind === "parsed" ? pem.certificates : [];
  const bundle = { trustDomain, roots, issuer, retired: [] };
  return [
    { name: "mesh", version: "1", body: { kind: "settings", value: settings } },
    { name: trustDomain, version, body: { kind: "bundle", value: bundle } },
  ];
}

function configOf(port: number) {
  const [roots, token] = ["roots.pem", "token"].map((name) => join(directory, name));
  writeFileSync(roots ?? "", ca.rootsPem);
  writeFileSync(token ?? "", "node-a");
  const flags = {
    node: "node-a",
    operator: `127.0.0.1:${port}`,
    roots,
    "token-file": token,
    "run-dir": join(directory, "run"),
    "admin-listen": "127.0.0.1:0",
    "metrics-listen": "127.0.0.1:0",
    "ready-listen": "127.0.0.1:0",
  };
  const args = Object.entries(flags).map(([name, value]) => `--${name}=${value}`);
  const parsed = parseConfig(args, {});
  if (parsed.kind !== "config") throw new Error(JSON.stringify(parsed));
  return parsed.config;
}

function startTraffic(path: string, issuers: readonly OlderTunnels[]): TrafficLine {
  const line = createTrafficLine({
    path,
    log: silent,
    onMessage: (message) => {
      if (message.kind !== "changes") return;
      if (message.complete) line.send({ kind: "tunnel_issuers", issuers });
      line.send({ kind: "applied", sequence: message.sequence ?? 0 });
    },
  });
  toClose.push(() => line.close());
  return line;
}

function isSecond({ bundles }: NodeReport): boolean {
  return bundles[0]?.version === "2";
}

async function start(config: ReturnType<typeof configOf>): Promise<Running> {
  return startControl({ config, log: silent, signal: new AbortController().signal });
}

test("reports: nothing is said before traffic has told, then each change of the older tunnels, also after control restarts", async () => {
  const config = new LineConfig();
  const reports = new Reports();
  const applied = new EventEmitter();
  const identity = ca.identity();
  const operator = await openLineOperator({
    config,
    identity,
    onReport: (report) => reports.add(report),
    onApplied: () => applied.emit("applied"),
  });
  toClose.push(() => operator.close(100));
  config.change(resources(OLD, "1"));
  const control = configOf(operator.port);
  const first = await start(control);
  toClose.push(() => first.close());
  const path = trafficLinePath(control);
  const old = { issuer: OLD, count: 2 };
  const before = startTraffic(path, [old]);
  expect(await reports.until(() => true)).toMatchObject({ olderTunnels: [] });

  config.change(resources(NEW, "2"));
  expect(await reports.until(isSecond)).toMatchObject({ olderTunnels: [old] });

  before.close();
  await first.close();
  reports.all.length = 0;
  const reconnected = once(applied, "applied");
  const second = await start(control);
  toClose.push(() => second.close());
  // The operator hears of it before the traffic process is back.
  await reconnected;
  expect(reports.all).toEqual([]);
  const line = startTraffic(path, [old]);
  await reports.until(isSecond);
  expect(reports.all.filter(({ olderTunnels }) => olderTunnels.length === 0)).toEqual([]);

  line.send({ kind: "tunnel_issuers", issuers: [{ issuer: NEW, count: 9 }] });
  await reports.until(({ olderTunnels }) => olderTunnels.length === 0);
});
