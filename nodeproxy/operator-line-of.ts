/** Where the operator is and how it is recognised, as the configuration says; files are read anew at each connection. */
import { readFile } from "node:fs/promises";
import type { NodeProxyConfig } from "./config.ts";
import type { OperatorLineOptions } from "./control/operator-line.ts";

export function operatorLineOf(config: NodeProxyConfig): OperatorLineOptions {
  const { trustDomain, rootsFile, tokenFile } = config;
  return {
    address: config.operator,
    roots: () => readFile(rootsFile, "utf8"),
    serverIdentity: `spiffe://${trustDomain}/ns/weft-system/sa/weft-operator`,
    token: async () => (await readFile(tokenFile, "utf8")).trim(),
    ...(config.joinToken ? { node: config.node } : {}),
  };
}
