/**
 * What the nodes reported, kept over a restart of the operator on files: one NodeReport a node, as JSON.
 *
 * Without it a restarted operator would take captured pods for uncaptured, and callers would speak
 * plaintext to them (invariant 1). Written within the turn that takes the report, before any node is
 * told of it, so that what was once told captured is still known after a SIGKILL.
 */
import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import type { Log } from "../core/process/log.ts";
import { type KubeObject, parseKubeObject } from "./resources/kube-object.ts";
import type { KeptLeaves } from "./resources/node-report.ts";
import {
  keptContent,
  nodeReportStatus,
  reportContent,
  type ToldReport,
} from "./status/node-report-object.ts";

export interface ReportFilesOptions {
  /** Made where missing, 0700. */
  readonly directory: string;
  readonly log: Log;
}

export class ReportFiles {
  readonly #options: ReportFilesOptions;
  /** Content last written, by node. */
  readonly #written = new Map<string, string>();

  constructor(options: ReportFilesOptions) {
    this.#options = options;
  }

  /** A report that cannot be read is logged and left out: its node soon sends another. */
  async read(): Promise<readonly KubeObject[]> {
    const { directory } = this.#options;
    mkdirSync(directory, { recursive: true, mode: 0o700 });
    const names = (await readdir(directory)).filter((name) => name.endsWith(".json"));
    const objects = await Promise.all(names.map((name) => this.#read(join(directory, name))));
    return objects.flat();
  }

  /** By rename: a crash leaves the report before or this one, never half of it. */
  put(told: ToldReport): void {
    const { node } = told.report;
    const content = JSON.stringify(reportContent(told));
    if (this.#written.get(node) === content) return;
    this.#attempt(node, () => {
      this.#write(node, nodeReportStatus(told));
      this.#written.set(node, content);
    });
  }

  /** Of a node that has no stream, and a report from before. */
  amend(node: string, kept: KeptLeaves): void {
    this.#written.delete(node);
    this.#attempt(node, () => {
      const object: unknown = JSON.parse(readFileSync(this.#path(node), "utf8"));
      const before =
        typeof object === "object" && object && "status" in object ? object.status : {};
      this.#write(node, { ...(before as object), ...keptContent(kept) });
    });
  }

  drop(node: string): void {
    this.#written.delete(node);
    rmSync(this.#path(node), { force: true });
  }

  #write(node: string, status: object): void {
    const object = {
      apiVersion: "weft.dev/v1",
      kind: "NodeReport",
      metadata: { name: node },
      status,
    };
    const path = this.#path(node);
    writeFileSync(`${path}.draft`, JSON.stringify(object), { mode: 0o600 });
    renameSync(`${path}.draft`, path);
  }

  #attempt(node: string, write: () => void): void {
    try {
      write();
    } catch (error) {
      this.#options.log.error({ err: error, node }, "node report not written");
    }
  }

  async #read(path: string): Promise<readonly KubeObject[]> {
    const { log } = this.#options;
    try {
      const parsed = parseKubeObject(JSON.parse(await readFile(path, "utf8")));
      if (parsed.kind === "accepted") return [parsed.value];
      log.error({ path, reasons: parsed.reasons }, "node report ignored");
    } catch (error) {
      log.error({ err: error, path }, "node report ignored");
    }
    return [];
  }

  /** A node's name is a DNS subdomain (checked with its token), so it is a file's name as well. */
  #path(node: string): string {
    return join(this.#options.directory, `${node}.json`);
  }
}
