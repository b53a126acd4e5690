/** Where the operator is and how it is recognised, as the configuration says; files are read anew at each connection. */
import { randomUUID } from "node:crypto";
import { readFile } from "node:fs/promises";
import type { TrustBundle } from "../core/model/trust-bundle.ts";
import type { NodeProxyConfig } from "./config.ts";
import type { OperatorLineOptions } from "./control/operator-line.ts";
import { operatorRoots } from "./control/operator-roots.ts";

/** `bundles`: those in use. */
export function operatorLineOf(
  config: NodeProxyConfig,
  bundles: () => readonly TrustBundle[],
): OperatorLineOptions {
  const { trustDomain, rootsFile, tokenFile } = config;
  return {
    address: config.operator,
    roots: () =>
      operatorRoots({
        trustDomain,
        bundles: bundles(),
        readFile: () => readFile(rootsFile, "utf8"),
      }),
    bundles,
    serverIdentity: `spiffe://${trustDomain}/ns/weft-system/sa/weft-operator`,
    token: async () => (await readFile(tokenFile, "utf8")).trim(),
    ...(config.joinToken ? { self: { node: config.node, instance: randomUUID() } } : {}),
  };
}
