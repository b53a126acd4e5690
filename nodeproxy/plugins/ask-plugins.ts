/**
 * What the plugins of a Service make of one request, in their order: each sees what the one before it left. Where one
 * fails its own policy says whether the request goes on.
 */
import type { PluginUse } from "../../core/model/http-settings.ts";
import type { PluginSettings } from "../../core/model/mesh-settings.ts";
import type { FieldLines, RequestHead } from "../http/message.ts";
import { checkedRequest } from "./checked-change.ts";
import type { HookResult } from "./hook-result.ts";
import type { PluginFields, PluginRequest } from "./plugin-api.ts";
import type { PluginHosts } from "./plugin-hosts.ts";

export interface PluginCaller {
  readonly hosts: PluginHosts;
  readonly plugins: readonly PluginSettings[] | undefined;
  readonly from: Pick<PluginRequest, "source" | "service" | "port">;
  /** A plugin has failed, whatever became of the request. */
  readonly onTrouble: (plugin: string, code: string, message: string) => void;
}

export type Asked =
  | { readonly kind: "pass"; readonly head: RequestHead }
  | {
      readonly kind: "refuse";
      readonly status: number;
      readonly reason: string;
      readonly fields: FieldLines;
      /** Absent: of the reason. */
      readonly body?: string;
    };

/** Never rejects. */
export async function askPlugins(
  caller: PluginCaller,
  uses: readonly PluginUse[],
  head: RequestHead,
): Promise<Asked> {
  let now = head;
  for (const use of uses) {
    const host = caller.hosts.find(caller.plugins, use.name);
    if (!host) return refused("plugin_missing");
    const request = plainRequest(caller, now);
    const answer = read(now, await host.call(use.config, { kind: "request", request }));
    if (answer.kind === "request") now = answer.head;
    else if (answer.kind === "answer") {
      const { status, fields, body } = answer;
      return { kind: "refuse", status, reason: "plugin_answered", fields, body };
    } else {
      caller.onTrouble(use.name, answer.code, answer.message);
      if (!host.settings.failOpen) return refused(answer.code);
    }
  }
  return { kind: "pass", head: now };
}

function read(head: RequestHead, result: HookResult) {
  if (result.kind === "failed") return result;
  if (result.kind === "none") return { kind: "request", head } as const;
  const checked = checkedRequest(head, result.value);
  if (checked.kind !== "fault") return checked;
  return { kind: "failed", code: "plugin_failed", message: checked.message } as const;
}

function plainRequest({ from }: PluginCaller, head: RequestHead): PluginRequest {
  const { method, path, query, authority, fields } = head;
  return { method, path, query, authority, fields: pairsOf(fields), ...from };
}

function pairsOf(lines: FieldLines): PluginFields {
  const pairs: [string, string][] = [];
  for (let i = 0; i + 1 < lines.length; i += 2) pairs.push([lines[i] ?? "", lines[i + 1] ?? ""]);
  return pairs;
}

function refused(reason: string): Asked {
  return { kind: "refuse", status: 503, reason, fields: [] };
}
