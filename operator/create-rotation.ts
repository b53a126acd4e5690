/** What rotates the CA of this operator: the engine on its key store, moved on by what the index and the nodes say. */
import type { TrustBundle } from "../core/model/trust-bundle.ts";
import type { Log } from "../core/process/log.ts";
import { formatCertificatesPem } from "../core/x509/pem.ts";
import { RotationEngine } from "./ca/rotation/rotation-engine.ts";
import { compileTrustBundle } from "./compile/trust-bundle.ts";
import type { ClusterIndex } from "./index/cluster-index.ts";
import type { Platform } from "./platform.ts";
import { RotationRunner } from "./rotation/rotation-runner.ts";

export interface CreateRotationOptions {
  readonly platform: Platform;
  readonly index: ClusterIndex;
  readonly trustDomain: string;
  readonly log: Log;
}

export function createRotation(options: CreateRotationOptions): RotationRunner {
  const { platform, index, trustDomain, log } = options;
  const { keyStore, trust } = platform;
  const engine = new RotationEngine({
    keyStore,
    trustDomain,
    intermediates: () => platform.intermediates(),
    longestLeafSeconds: () => index.meshSettings().leafLifetimeSeconds,
    versionOf,
    monotonicMs: () => performance.now(),
  });
  return new RotationRunner({
    engine,
    rotations: () => index.rotations(),
    nodes: () =>
      index.nodes().map((node) => {
        const dated = index.findReport(node);
        return { node, report: dated?.report, reportedAtMs: dated?.reportedAtMs ?? 0 };
      }),
    isLeader: () => trust.isLeader(),
    isPublished: ({ roots }) => trust.publishedPem() === formatCertificatesPem(roots),
    follow: () => trust.follow(),
    tell: (told) => platform.tellRotation(told),
    log,
  });
}

function versionOf(bundle: TrustBundle): string {
  return compileTrustBundle(bundle).version;
}
