/** One thread with one plugin in it: how it is started, and what is heard of it until it ends. Judges nothing. */
import { Worker } from "node:worker_threads";
import {
  MAX_WORD,
  type NumberedTask,
  type PluginStart,
  type PluginWord,
} from "./plugin-messages.ts";

export interface ThreadHearer {
  onBegun(id: number): void;
  onWord(word: PluginWord): void;
  /** It ended by itself, whatever for. Once, last. */
  onEnd(message: string): void;
}

const HEAP_MIB = 64;
const FOLDERS = ["nodeproxy/plugins", "node_modules/@cfworker/json-schema"];

export class PluginThread {
  readonly #worker: Worker;
  #hearer: ThreadHearer | undefined;
  #message = "it ended";

  constructor(start: PluginStart, hearer: ThreadHearer) {
    this.#hearer = hearer;
    this.#worker = new Worker(new URL("./plugin-thread-main.ts", import.meta.url), {
      workerData: start,
      env: {},
      argv: [],
      // No files but its own program's, no network, no processes, no threads, no addons.
      execArgv: ["--no-warnings", "--permission", ...FOLDERS.map(readable)],
      resourceLimits: { maxOldGenerationSizeMb: HEAP_MIB, maxYoungGenerationSizeMb: 8 },
      stdin: false,
      stdout: true,
      stderr: true,
    });
    const worker = this.#worker;
    worker.unref();
    worker.on("message", (told: unknown) => this.#hear(told));
    worker.on("error", (error: unknown) => {
      this.#message = Error.isError(error) ? error.message : String(error);
    });
    worker.on("exit", () => {
      const heard = this.#hearer;
      this.#hearer = undefined;
      heard?.onEnd(this.#message);
    });
  }

  post(task: NumberedTask): void {
    this.#worker.postMessage(JSON.stringify(task));
  }

  /** Nothing more is heard of it. */
  async end(): Promise<void> {
    this.#hearer = undefined;
    await this.#worker.terminate();
  }

  #hear(told: unknown): void {
    if (typeof told === "number") this.#hearer?.onBegun(told);
    else if (typeof told === "string" && told.length <= MAX_WORD) {
      this.#hearer?.onWord(JSON.parse(told) as PluginWord);
    }
  }
}

function readable(folder: string): string {
  return `--allow-fs-read=${new URL(`../../${folder}/*`, import.meta.url).pathname}`;
}
