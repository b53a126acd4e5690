/** The plugins that run on this traffic thread, each started with the first request that needs it. */
import type { PluginSettings } from "../../core/model/mesh-settings.ts";
import { PluginHost } from "./plugin-host.ts";

const TELLING_MS = 10_000;

export class PluginHosts {
  readonly #hosts = new Map<string, PluginHost>();
  readonly #toldAt = new Map<string, number>();
  #seen: readonly PluginSettings[] | undefined;

  /** As the mesh's settings have it now; one that has changed begins anew, and the one before ends what it has. */
  find(plugins: readonly PluginSettings[] | undefined, name: string): PluginHost | undefined {
    if (plugins !== this.#seen) this.#retireOthers(plugins ?? []);
    this.#seen = plugins;
    const settings = plugins?.find((plugin) => plugin.name === name);
    if (!settings) return undefined;
    const host = this.#hosts.get(name) ?? new PluginHost(settings);
    this.#hosts.set(name, host);
    return host;
  }

  /** Whether a failure is to be told: of a kind one in a while. */
  mayTell(plugin: string, code: string, nowMs: number): boolean {
    const key = `${plugin} ${code}`;
    if (nowMs - (this.#toldAt.get(key) ?? Number.NEGATIVE_INFINITY) < TELLING_MS) return false;
    this.#toldAt.set(key, nowMs);
    return true;
  }

  async close(): Promise<void> {
    await Promise.all([...this.#hosts.values()].map((host) => host.close()));
    this.#hosts.clear();
  }

  #retireOthers(plugins: readonly PluginSettings[]): void {
    for (const [name, host] of this.#hosts) {
      const now = plugins.find((plugin) => plugin.name === name);
      if (now && isSame(now, host.settings)) continue;
      host.retire();
      this.#hosts.delete(name);
    }
  }
}

function isSame(one: PluginSettings, other: PluginSettings): boolean {
  return (
    one.source === other.source &&
    one.timeoutMs === other.timeoutMs &&
    one.failOpen === other.failOpen
  );
}
