/**
 * The source without Kubernetes: a directory of the same YAML, watched.
 *
 * A file counts once it has been quiet for a moment and parses whole; until then, and if it is
 * broken, its last good content stays. Whoever writes a file in several steps further apart than that
 * should write another one and rename it.
 */
import { type FSWatcher, watch } from "node:fs";
import { readdir, readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import type { Log } from "../../core/process/log.ts";
import type { KubeObject } from "../resources/kube-object.ts";
import { ManifestSet } from "./manifest-set.ts";
import { parseManifest } from "./parse-manifest.ts";
import type { Sink, Source, SourceError } from "./source.ts";

export interface FilesSourceOptions {
  readonly directory: string;
  readonly log: Log;
  /** How long after the last sign of a write the directory is read. Default 15 ms. */
  readonly quietMs?: number;
  /** For file systems whose changes nobody is told of (NFS, some mounts). Default 2 s. */
  readonly rescanMs?: number;
}

interface ReadFile {
  /** Size, times and inode at the reading: what tells a changed file. */
  readonly mark: string;
  /** The last good content. */
  readonly objects: readonly KubeObject[];
  readonly errors: readonly SourceError[];
}

export class FilesSource implements Source {
  readonly #options: Required<FilesSourceOptions>;
  readonly #set = new ManifestSet();
  #files: ReadonlyMap<string, ReadFile> = new Map();
  #directoryErrors: readonly SourceError[] = [];
  #duplicates: readonly SourceError[] = [];
  #logged = new Set<string>();
  #watcher: FSWatcher | undefined;
  #quiet: NodeJS.Timeout | undefined;
  #rescan: NodeJS.Timeout | undefined;
  #scanning: Promise<void> = Promise.resolve();
  #isClosed = false;

  constructor(options: FilesSourceOptions) {
    this.#options = { quietMs: 15, rescanMs: 2000, ...options };
  }

  /** Throws where the directory cannot be read: that is a wrong setting. */
  async start(sink: Sink): Promise<void> {
    await readdir(this.#options.directory);
    this.#watch(sink);
    await this.#scan(sink);
    sink({ kind: "synced" });
    this.#rescan = setInterval(() => {
      this.#scanSoon(sink, this.#options.quietMs);
    }, this.#options.rescanMs);
  }

  errors(): readonly SourceError[] {
    const files = [...this.#files.values()].flatMap(({ errors }) => errors);
    return [...this.#directoryErrors, ...files, ...this.#duplicates];
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.#watcher?.close();
    clearTimeout(this.#quiet);
    clearInterval(this.#rescan);
    await this.#scanning;
  }

  #watch(sink: Sink): void {
    const { directory, quietMs, log } = this.#options;
    try {
      this.#watcher = watch(directory, () => this.#scanSoon(sink, quietMs));
      // The rescan goes on; it also notices a directory that comes back.
      this.#watcher.on("error", (error) => log.warn({ err: error }, "directory watch failed"));
    } catch (error) {
      log.warn({ err: error }, "directory cannot be watched, only rescanned");
    }
  }

  /** Each sign of a write begins the quiet time again. */
  #scanSoon(sink: Sink, delayMs: number): void {
    if (this.#isClosed) return;
    clearTimeout(this.#quiet);
    this.#quiet = setTimeout(() => void this.#scan(sink), delayMs);
  }

  /** One after another; each reads only what has changed. */
  #scan(sink: Sink): Promise<void> {
    this.#scanning = this.#scanning.then(() => this.#readDirectory(sink));
    return this.#scanning;
  }

  async #readDirectory(sink: Sink): Promise<void> {
    const names = await this.#names();
    if (!names || this.#isClosed) return;
    const files = new Map<string, ReadFile>();
    for (const name of names) {
      const file = await this.#readFile(name, this.#files.get(name));
      if (file) files.set(name, file);
    }
    this.#files = files;
    const objects = new Map([...files].map(([name, file]) => [name, file.objects]));
    const { changes, errors } = this.#set.replace(objects);
    this.#duplicates = errors;
    this.#logNewErrors();
    for (const change of changes) sink(change);
  }

  /** `undefined` where the directory cannot be read: what it held then stays. */
  async #names(): Promise<readonly string[] | undefined> {
    const { directory } = this.#options;
    try {
      const names = await readdir(directory);
      this.#directoryErrors = [];
      return names.filter((name) => /^[^.].*\.(?:ya?ml|json)$/.test(name)).toSorted();
    } catch (error) {
      this.#directoryErrors = [{ code: "unreadable", place: directory, message: textOf(error) }];
      this.#logNewErrors();
      return undefined;
    }
  }

  /** `undefined` for a file that is gone. */
  async #readFile(name: string, before: ReadFile | undefined): Promise<ReadFile | undefined> {
    const path = join(this.#options.directory, name);
    const objects = before?.objects ?? [];
    try {
      const mark = await markOf(path);
      if (mark === before?.mark) return before;
      const parsed = parseManifest(await readFile(path, "utf8"));
      // Written while it was read: another sign of it comes, or the rescan.
      if ((await markOf(path)) !== mark) return before ?? { mark: "", objects, errors: [] };
      if (parsed.kind === "malformed") {
        const error: SourceError = { code: "malformed_file", place: name, message: parsed.reason };
        return { mark, objects, errors: [error] };
      }
      const errors = parsed.unknownKinds.map(
        (kind): SourceError => ({ code: "unknown_kind", place: name, message: kind }),
      );
      return { mark, objects: parsed.objects, errors };
    } catch (error) {
      if (Error.isError(error) && "code" in error && error.code === "ENOENT") return undefined;
      const errors: SourceError[] = [{ code: "unreadable", place: name, message: textOf(error) }];
      return { mark: "", objects, errors };
    }
  }

  /** Each once, until it has been away. */
  #logNewErrors(): void {
    const errors = this.errors();
    for (const error of errors) {
      if (!this.#logged.has(JSON.stringify(error))) this.#options.log.error(error, "source error");
    }
    this.#logged = new Set(errors.map((error) => JSON.stringify(error)));
  }
}

async function markOf(path: string): Promise<string> {
  const { size, mtimeNs, ctimeNs, ino } = await stat(path, { bigint: true });
  return [size, mtimeNs, ctimeNs, ino].join();
}

function textOf(error: unknown): string {
  return Error.isError(error) ? error.message : String(error);
}
