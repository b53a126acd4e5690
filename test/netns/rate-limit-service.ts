/**
 * Envoy's own rate limit service with a Redis behind it, as its users run it: two programs in a network namespace. Can be
 * stopped, held and started again; what was counted stays with Redis. Not a test itself.
 */
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { findRedis } from "../redis.ts";
import { provideGoProgram } from "../world/go-program.ts";
import { type Program, startProgram } from "../world/program.ts";
import { until } from "../world/until.ts";
import { ask, requestText } from "./http-requests.ts";
import { startFromPod, type TestPod } from "./pod-network.ts";

/** As in MeshConfig; the other one says how it is. */
export const RATE_LIMIT_PORT = 8081;
const HEALTH_PORT = 8080;
/** What is waited for at the most: the programs may be built first. */
const LIMIT_MS = 300_000;

export class RateLimitService implements AsyncDisposable {
  readonly #place: TestPod;
  readonly #folder: string;
  readonly #redis: Program;
  #service: Program | undefined;

  private constructor(place: TestPod, folder: string, redis: Program) {
    this.#place = place;
    this.#folder = folder;
    this.#redis = redis;
  }

  /** In that namespace, at its IPv4 address. `config`: the service's own. */
  static async start(place: TestPod, config: string): Promise<RateLimitService> {
    const folder = mkdtempSync(join(tmpdir(), "weft-ratelimit-"));
    mkdirSync(join(folder, "limits/config"), { recursive: true });
    writeFileSync(join(folder, "limits/config/weft.yaml"), config);
    const { command, env } = await findRedis();
    const socket = join(folder, "redis.sock");
    const redis = startProgram({
      name: "redis",
      command: [command, "--port", "0", "--unixsocket", socket, "--save", "", "--dir", folder],
      env,
      logFile: join(folder, "redis.log"),
    });
    await until("Redis", () => (existsSync(socket) ? true : undefined), LIMIT_MS);
    const service = new RateLimitService(place, folder, redis);
    await service.back();
    return service;
  }

  /** After `stop`; resolves once it counts. */
  async back(): Promise<void> {
    this.#service = startProgram({
      name: "ratelimit",
      command: [await provideGoProgram("ratelimit")],
      netns: this.#place.path,
      env: {
        REDIS_SOCKET_TYPE: "unix",
        REDIS_URL: join(this.#folder, "redis.sock"),
        RUNTIME_ROOT: this.#folder,
        RUNTIME_SUBDIRECTORY: "limits",
        RUNTIME_WATCH_ROOT: "false",
        USE_STATSD: "false",
        LIMIT_RESPONSE_HEADERS_ENABLED: "true",
        LOG_LEVEL: "debug",
      },
      logFile: join(this.#folder, "ratelimit.log"),
    });
    await until("the rate limit service", async () => this.#isHealthy(), LIMIT_MS);
  }

  async stop(): Promise<void> {
    await this.#service?.stop("SIGKILL");
  }

  /** It takes connections and questions, and answers none. */
  hold(): void {
    this.#service?.child.kill("SIGSTOP");
  }

  release(): void {
    this.#service?.child.kill("SIGCONT");
  }

  /** What it has written so far. */
  log(): string {
    return readFileSync(join(this.#folder, "ratelimit.log"), "utf8");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
    await this.#redis.stop("SIGKILL");
    rmSync(this.#folder, { recursive: true, force: true });
  }

  async #isHealthy(): Promise<true | undefined> {
    if (this.#service?.child.exitCode !== null) throw new Error(this.log());
    const socket = startFromPod(this.#place, this.#place.v4, HEALTH_PORT);
    const { status } = await ask(socket, requestText({ target: "/healthcheck" }));
    return status === 200 ? true : undefined;
  }
}
