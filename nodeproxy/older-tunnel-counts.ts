/**
 * Which live tunnels rest on another CA than the one that signs now? As the traffic process counts them, for the
 * reports of control. What it has not told yet is not known, and never taken for none.
 */
import type { OlderTunnels } from "../core/model/node-report.ts";
import type { FromTraffic } from "./channel/messages.ts";

export class OlderTunnelCounts {
  #issuers: readonly OlderTunnels[] = [];
  readonly #first = Promise.withResolvers<void>();

  /** Resolves once anything was told, or after `limitMs`: then there may be no traffic process at all. */
  async told(limitMs: number): Promise<void> {
    const timer = setTimeout(() => this.#first.resolve(), limitMs).unref();
    await this.#first.promise;
    clearTimeout(timer);
  }

  /** True where it changes what `than` says. */
  received(message: FromTraffic, issuer: string): boolean {
    if (message.kind !== "tunnel_issuers") return false;
    const before = JSON.stringify(this.than(issuer));
    this.#issuers = message.issuers;
    this.#first.resolve();
    return JSON.stringify(this.than(issuer)) !== before;
  }

  /** Those of other issuers than this one; none where it is "", not said. */
  than(issuer: string): readonly OlderTunnels[] {
    return issuer === "" ? [] : this.#issuers.filter((counted) => counted.issuer !== issuer);
  }
}
