/** What the demo measured, as `--json` prints it (the shape other tools read), and whether it is as promised. */
import { CANARY_PERCENT, CUSTOMER_REQUESTS } from "./manifests.ts";

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
  /** To a service one of whose replicas fails each: with a rule that retries, and how many failed before there was one. */
  readonly retry: {
    readonly requests: number;
    readonly failed: number;
    readonly failedWithout: number;
  };
  readonly canary: { readonly requests: number; readonly failed: number; readonly next: number };
  readonly rateLimit: {
    readonly requests: number;
    readonly answered: number;
    readonly limited: number;
  };
  readonly seconds: number;
}

const REPLICAS = 3;

type Check = readonly [holds: boolean, sentence: string];

/** Every sentence that does not hold; empty where the mesh did what the demo claims. */
export function brokenPromises(summary: Summary): readonly string[] {
  const { identities, replicaCounts, rotation, operatorDown } = summary;
  const total = replicaCounts.reduce((sum, count) => sum + count, 0);
  const checks: readonly Check[] = [
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
  return [...checks, ...checksOfHttp(summary)]
    .filter(([holds]) => !holds)
    .map(([, sentence]) => sentence);
}

function checksOfHttp({ retry, canary, rateLimit }: Summary): readonly Check[] {
  const expected = (canary.requests * CANARY_PERCENT) / 100;
  const { requests, answered, limited } = rateLimit;
  return [
    [retry.failedWithout > 0, "no request failed where nothing is retried"],
    [retry.failed === 0, `${retry.failed} of ${retry.requests} requests failed despite retries`],
    [canary.failed === 0, `${canary.failed} of ${canary.requests} routed requests failed`],
    // Drawn by weight: so far from it once in some ten thousand runs.
    [
      Math.abs(canary.next - expected) < expected * 0.9,
      `${canary.next} of ${canary.requests} requests went to the next version`,
    ],
    [
      answered === CUSTOMER_REQUESTS && limited === requests - answered,
      `of ${requests} requests ${answered} were answered and ${limited} limited`,
    ],
  ];
}
