/** What the demo measured, as `--json` prints it (the shape other tools read), and whether it is as promised. */

export interface Summary {
  readonly wireEncrypted: boolean;
  readonly identities: { readonly client: string; readonly server: string };
  readonly replicaCounts: readonly number[];
  readonly denyAppliedMs: number;
  readonly openConnectionClosed: boolean;
  readonly rotation: {
    readonly requests: number;
    readonly failed: number;
    readonly rotations: number;
  };
  readonly operatorDown: { readonly requests: number; readonly failed: number };
  readonly serverFirst: boolean;
  readonly seconds: number;
}

const REPLICAS = 3;

/** Every sentence that does not hold; empty where the mesh did what the demo claims. */
export function brokenPromises(summary: Summary): readonly string[] {
  const { identities, replicaCounts, rotation, operatorDown } = summary;
  const total = replicaCounts.reduce((sum, count) => sum + count, 0);
  const checks: readonly (readonly [boolean, string])[] = [
    [summary.wireEncrypted, "bytes between the nodes are not all TLS"],
    [
      identities.client.endsWith("/ns/shop/sa/web"),
      `the client's identity is ${identities.client}`,
    ],
    [
      identities.server.endsWith("/ns/shop/sa/api"),
      `the server's identity is ${identities.server}`,
    ],
    [
      replicaCounts.length === REPLICAS,
      `${replicaCounts.length} replicas answered, not ${REPLICAS}`,
    ],
    [
      replicaCounts.every((count) => count >= total / 6),
      `requests are spread ${replicaCounts.join(", ")}`,
    ],
    [summary.serverFirst, "the store's greeting did not come first"],
    [Number.isFinite(summary.denyAppliedMs), "the DENY did not take effect"],
    [summary.openConnectionClosed, "the open connection outlived the DENY"],
    [rotation.rotations > 0, "no certificate was rotated"],
    [
      rotation.requests > 0 && rotation.failed === 0,
      `${rotation.failed} of ${rotation.requests} requests failed while certificates rotated`,
    ],
    [
      operatorDown.requests > 0 && operatorDown.failed === 0,
      `${operatorDown.failed} of ${operatorDown.requests} requests failed without the operator`,
    ],
  ];
  return checks.filter(([holds]) => !holds).map(([, sentence]) => sentence);
}
