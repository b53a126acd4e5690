/**
 * Everything of the control process that speaks to the operator, brought in when it is first needed: gRPC takes longer
 * to load than all else together, and a node that starts anew serves its pods before.
 *
 * A report of before is told once there is a stream.
 */
import type { NodeReport } from "../core/model/node-report.ts";
import type { CertifyClient, CertifyRequest } from "./control/certify.ts";
import type {
  ConfigStream,
  ConfigStreamOptions,
  ConfigStreamState,
} from "./control/config-stream.ts";

interface Loaded {
  readonly stream: ConfigStream;
  readonly certify: CertifyClient;
}

export class OperatorLink {
  readonly #options: ConfigStreamOptions;
  #loading: Promise<Loaded> | undefined;
  #stream: ConfigStream | undefined;
  #report: NodeReport | undefined;
  #isClosed = false;

  constructor(options: ConfigStreamOptions) {
    this.#options = options;
  }

  get state(): ConfigStreamState {
    return this.#stream?.state ?? "disconnected";
  }

  /** Keeps a configuration stream open from here on. */
  async start(): Promise<void> {
    const { stream } = await this.#load();
    if (!this.#isClosed) stream.start();
  }

  /** Whole; replaces the one before. */
  report(report: NodeReport): void {
    this.#report = report;
    this.#stream?.report(report);
  }

  withdrawReport(): void {
    this.#report = undefined;
    this.#stream?.withdrawReport();
  }

  /** Throws a CertifyError, or the signal's reason. */
  async certify(request: CertifyRequest): Promise<Uint8Array[]> {
    const { certify } = await this.#load();
    return certify.certify(request);
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    const loaded = await this.#loading;
    await loaded?.stream.close();
    await loaded?.certify.close();
  }

  #load(): Promise<Loaded> {
    this.#loading ??= this.#open();
    return this.#loading;
  }

  async #open(): Promise<Loaded> {
    const [{ ConfigStream: Stream }, { CertifyClient: Client }] = await Promise.all([
      import("./control/config-stream.ts"),
      import("./control/certify.ts"),
    ]);
    this.#stream = new Stream(this.#options);
    if (this.#report) this.#stream.report(this.#report);
    return { stream: this.#stream, certify: new Client(this.#options.line) };
  }
}
