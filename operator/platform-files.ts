/** The operator on a directory of files: the CA's key in a directory, a join token for node proxies, the roots in a file. */
import { randomBytes, randomUUID } from "node:crypto";
import { readFileSync } from "node:fs";
import { mkdir, open, rename, writeFile } from "node:fs/promises";
import { dirname } from "node:path";
import type { Log } from "../core/process/log.ts";
import { createFileKeyStore } from "./ca/file-key-store.ts";
import type { SourceConfig } from "./config.ts";
import { createJoinTokenAuthentication } from "./distribute/authenticate.ts";
import type { Platform } from "./platform.ts";
import { FilesSource } from "./source/files.ts";

type FilesConfig = Extract<SourceConfig, { readonly kind: "files" }>;

export async function createFilesPlatform(config: FilesConfig, log: Log): Promise<Platform> {
  await createJoinToken(config.joinTokenFile);
  return {
    source: new FilesSource({ directory: config.directory, log }),
    keyStore: createFileKeyStore(config.caDirectory),
    authenticate: createJoinTokenAuthentication(() => readJoinToken(config.joinTokenFile, log)),
    publishRoots: async (rootsPem) => {
      if (config.rootsFile !== "") await replaceFile(config.rootsFile, rootsPem);
    },
    // Without an API there is nowhere to write to: `/status` tells all of it.
    observe: () => undefined,
    tellReport: () => undefined,
    tellGone: () => undefined,
    tellStatus: () => undefined,
    open: async () => undefined,
    close: async () => undefined,
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
