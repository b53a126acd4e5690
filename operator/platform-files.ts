/**
 * The operator on a directory of files: the CA's key and what the nodes reported in a directory, a join
 * token for node proxies, the roots in a file.
 */
import { randomBytes, randomUUID } from "node:crypto";
import { readFileSync } from "node:fs";
import { mkdir, open, rename, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { Log } from "../core/process/log.ts";
import { formatCertificatesPem } from "../core/x509/pem.ts";
import { CaKeeper } from "./ca/ca-keeper.ts";
import { createFileKeyStore } from "./ca/file-key-store.ts";
import type { IntermediateSource } from "./ca/intermediate-source.ts";
import { LOCAL_INTERMEDIATES } from "./ca/local-intermediate.ts";
import { CaWatch } from "./ca-watch.ts";
import type { SourceConfig } from "./config.ts";
import { createJoinTokenAuthentication } from "./distribute/authenticate.ts";
import type { Opening, Platform } from "./platform.ts";
import { ReportFiles } from "./report-files.ts";
import type { IssuerRef } from "./resources/mesh-config.ts";
import { FilesSource } from "./source/files.ts";
import type { Source } from "./source/source.ts";

type FilesConfig = Extract<SourceConfig, { readonly kind: "files" }>;

export interface FilesPlatformOptions {
  /** Of MeshConfig. */
  readonly issuerRef: () => IssuerRef | undefined;
  readonly log: Log;
}

export async function createFilesPlatform(
  config: FilesConfig,
  { issuerRef, log }: FilesPlatformOptions,
): Promise<Platform> {
  await createJoinToken(config.joinTokenFile);
  let watch: CaWatch | undefined;
  const reports = new ReportFiles({ directory: join(config.caDirectory, "reports"), log });
  const platform: Platform = {
    source: afterReports(reports, new FilesSource({ directory: config.directory, log })),
    keyStore: createFileKeyStore(config.caDirectory),
    authenticate: createJoinTokenAuthentication(() => readJoinToken(config.joinTokenFile, log)),
    intermediates: () => (issuerRef() ? NO_ISSUER : LOCAL_INTERMEDIATES),
    publishRoots: async (rootsPem) => {
      if (config.rootsFile !== "") await replaceFile(config.rootsFile, rootsPem);
    },
    observe: () => undefined,
    tellReport: (told) => reports.put(told),
    tellKeptLeaves: ({ node, unwritten }) => {
      const kept = unwritten();
      if (kept) reports.amend(node, kept);
    },
    dropReport: (node) => {
      reports.drop(node);
      return true;
    },
    // Node proxies have no pods here.
    isSuperseded: () => false,
    tellGone: () => undefined,
    // Without an API there is nowhere to write to: `/status` tells all of it.
    tellStatus: () => undefined,
    tellRotation: () => undefined,
    trust: {
      isLeader: () => watch !== undefined,
      follow: async () => watch?.lookNow(),
      publishedPem: () => watch?.publishedPem(),
    },
    async open(opening) {
      watch = watchCa(platform, opening, log);
      opening.recomputeStatus();
    },
    leave: async () => undefined,
    close: async () => watch?.close(),
  };
  return platform;
}

/** A root of our own instead of the issuer that was asked for would be trusted by nobody who expects that. */
const NO_ISSUER: IntermediateSource = {
  signer: "cert-manager",
  isExternal: true,
  create: () =>
    Promise.resolve({
      kind: "refused",
      reason: "SignerDenied",
      message:
        "spec.certificates.issuerRef of MeshConfig: cert-manager needs a cluster, and this operator runs on files",
    }),
};

/** Somebody may put another CA there, and the intermediate is renewed. */
function watchCa(platform: Platform, opening: Opening, log: Log): CaWatch {
  const { authority, onCaChanged } = opening;
  const { place } = platform.keyStore;
  const keeper = new CaKeeper({ authority, place, log, onChanged: onCaChanged });
  const watch = new CaWatch({
    keeper,
    isLeader: () => true,
    rootsPem: () => formatCertificatesPem(authority.bundle().roots),
    publish: (rootsPem) => platform.publishRoots(rootsPem),
    // At the start, and nobody else writes the file.
    publishedPem: formatCertificatesPem(authority.bundle().roots),
    republishMs: Number.POSITIVE_INFINITY,
    log,
  });
  void watch.lookNow();
  return watch;
}

/** Reports first: nobody must be told what to do with a pod before it is known to be captured. */
function afterReports(reports: ReportFiles, source: Source): Source {
  return {
    start: async (sink) => {
      for (const object of await reports.read()) sink({ kind: "upsert", object });
      await source.start(sink);
    },
    errors: () => source.errors(),
    close: () => source.close(),
  };
}

/** Leaves a token that is there alone: node proxies may know it already. */
async function createJoinToken(path: string): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  try {
    await using file = await open(path, "wx", 0o600);
    await file.writeFile(`${randomBytes(32).toString("base64url")}\n`);
  } catch (error) {
    const isThere = Error.isError(error) && "code" in error && error.code === "EEXIST";
    if (!isThere) throw error;
  }
}

/** Read for every call, so that the file may change. "" lets nobody in. */
function readJoinToken(path: string, log: Log): string {
  try {
    return readFileSync(path, "utf8").trim();
  } catch (error) {
    log.error({ err: error, path }, "join token cannot be read");
    return "";
  }
}

/** By rename: a node proxy that watches the file never reads half of it. */
async function replaceFile(path: string, text: string): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  const draft = `${path}.${randomUUID()}`;
  await writeFile(draft, text, { mode: 0o644 });
  await rename(draft, path);
}
