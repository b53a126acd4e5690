/**
 * The packet filter tables of one family in a pod's namespace, by one of the two back ends of iptables: reads and
 * writes their text. Which of them a pod gets is decided by `apply-rules.ts`.
 */
import type { NetworkNamespace } from "../sys/namespace.ts";
import { RulesError } from "./rules-error.ts";
import { runInNamespace } from "./run-in-namespace.ts";

/** `nft` on any of today's kernels, `legacy` on old ones and wherever somebody still calls it by that name. */
export type Flavour = "nft" | "legacy";

export interface Tables {
  readonly family: 4 | 6;
  readonly flavour: Flavour;
}

/**
 * Whether somebody has used the legacy tables of this namespace. Looking into them would make them, which costs
 * every packet; this list does not.
 */
export async function hasLegacyTables(
  namespace: NetworkNamespace,
  family: 4 | 6,
): Promise<boolean> {
  const names = family === 4 ? "ip_tables_names" : "ip6_tables_names";
  // Absent where the kernel has no legacy tables at all.
  const { stdout } = await runInNamespace(namespace, ["cat", `/proc/self/net/${names}`]);
  return stdout.trim() !== "";
}

/** What `iptables-save` prints; "" where this back end does not work here. */
export async function saveOrEmpty(namespace: NetworkNamespace, tables: Tables): Promise<string> {
  const result = await runInNamespace(namespace, [program(tables, "save")]);
  return result.code === 0 ? result.stdout : "";
}

export async function save(namespace: NetworkNamespace, tables: Tables): Promise<string> {
  const { code, stdout, stderr } = await runInNamespace(namespace, [program(tables, "save")]);
  if (code !== 0) throw new RulesError(`${program(tables, "save")}: ${stderr}`);
  return stdout;
}

/** Text for `iptables-restore --noflush`: each table at once, and nothing of one that is refused. */
export async function restore(
  namespace: NetworkNamespace,
  tables: Tables,
  text: string,
): Promise<void> {
  const command = [program(tables, "restore"), "--noflush", "--wait", "5"];
  const { code, stderr } = await runInNamespace(namespace, command, text);
  if (code !== 0) throw new RulesError(`${program(tables, "restore")}: ${stderr}`);
}

function program({ family, flavour }: Tables, verb: "save" | "restore"): string {
  return `${family === 4 ? "iptables" : "ip6tables"}-${flavour}-${verb}`;
}
