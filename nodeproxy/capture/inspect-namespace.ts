/** What is inside a network namespace: which addresses, which families are up, which connections run. */
import { canonicalIp } from "../../core/model/ip.ts";
import type { NetworkNamespace } from "../sys/namespace.ts";
import { parseTcpTable } from "./parse-tcp-table.ts";
import { runInNamespace } from "./run-in-namespace.ts";

export interface NamespaceContent {
  /** Canonical, loopback left out. */
  readonly addresses: readonly string[];
  /** A family with any address on any interface but loopback, link-local ones too: the pod can speak it. */
  readonly families: readonly (4 | 6)[];
}

/** Throws where the namespace cannot be looked into. */
export async function inspectNamespace(namespace: NetworkNamespace): Promise<NamespaceContent> {
  const { code, stdout, stderr } = await runInNamespace(namespace, ["ip", "-j", "address", "show"]);
  if (code !== 0) throw new Error(`ip address show in a pod's namespace failed: ${stderr}`);
  return parseAddresses(stdout);
}

/** Exported for its table of texts. */
function parseAddresses(json: string): NamespaceContent {
  const links = JSON.parse(json || "[]") as readonly Partial<Link>[];
  const entries = links
    .filter(({ link_type }) => link_type !== "loopback")
    .flatMap(({ addr_info }) => addr_info ?? []);
  const addresses = entries.flatMap(({ local }) => canonicalIp(local ?? "") ?? []);
  const families = ([4, 6] as const).filter((family) =>
    addresses.some((address) => address.includes(":") === (family === 6)),
  );
  return { addresses, families };
}

interface Link {
  readonly link_type: string;
  readonly addr_info: readonly { readonly local?: string }[];
}

/** Keys of the connections that run now, loopback left out. */
export async function runningConnections(
  namespace: NetworkNamespace,
): Promise<ReadonlySet<string>> {
  const tables = ["/proc/self/net/tcp", "/proc/self/net/tcp6"];
  // Without IPv6 in the kernel the second is missing; cat prints the first all the same.
  const { stdout } = await runInNamespace(namespace, ["cat", ...tables]);
  return parseTcpTable(stdout);
}
