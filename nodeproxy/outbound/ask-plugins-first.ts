/** The way to a Service's plugins, loaded with the first request that has any: what is asked, on whose behalf, and who hears of trouble. */
import type { PluginUse } from "../../core/model/http-settings.ts";
import type { Service } from "../../core/model/service.ts";
import type { RequestHead } from "../http/message.ts";
import { type Asked, askPlugins } from "../plugins/ask-plugins.ts";
import { PluginHosts } from "../plugins/plugin-hosts.ts";
import type { MeshView, ServiceCall } from "./choose-upstream.ts";
import type { CallerConnection } from "./request-facts.ts";

/** Of each traffic thread, whose mesh it is: threads of plugins end with it. */
const hostsOf = new WeakMap<MeshView, PluginHosts>();

export interface PluginQuestion {
  readonly uses: readonly PluginUse[];
  readonly call: ServiceCall;
  readonly head: RequestHead;
}

/** Never rejects. */
export function askPluginsFirst(
  { pod, facts }: CallerConnection,
  { uses, call, head }: PluginQuestion,
): Promise<Asked> {
  const { view } = pod;
  const hosts = hostsOf.get(view) ?? new PluginHosts();
  hostsOf.set(view, hosts);
  const { name: workload, namespace, identity } = facts.source;
  const source = { workload, namespace, identity };
  return askPlugins(
    {
      hosts,
      plugins: view.settings()?.plugins,
      from: { source, service: nameOf(call.service), port: call.port },
      onTrouble: (plugin, code, message) => {
        const isNews = hosts.mayTell(plugin, code, performance.now());
        if (isNews) pod.onPluginTrouble(plugin, code, message);
      },
    },
    uses,
    head,
  );
}

function nameOf({ namespace, name }: Service): string {
  return `${namespace}/${name}`;
}
