/** A replica of the operator in simulated time: a real CA and a real rotation engine, with reports that take their time. */
import { createHash } from "node:crypto";
import type { NodeReport } from "../../core/model/node-report.ts";
import type { TrustBundle } from "../../core/model/trust-bundle.ts";
import { type Authority, createAuthority } from "../../operator/ca/authority.ts";
import type { KeyStore } from "../../operator/ca/key-store.ts";
import type { RotationWish } from "../../operator/ca/rotation/decide-step.ts";
import {
  RotationEngine,
  type RotationProgress,
} from "../../operator/ca/rotation/rotation-engine.ts";
import { bundleOf } from "../../operator/ca/trust.ts";
import { ReportStore } from "../../operator/index/report-store.ts";
import type { DatedNodeReport } from "../../operator/resources/node-report.ts";
import type { FaultyKeyStore } from "./faulty-key-store.ts";
import type { VersionedBundle } from "./simulated-node.ts";

const TRUST_DOMAIN = "cluster.local";

/** Replicas look at the key store so often. */
const LOOK_MS = 5000;

export class SimulatedReplica {
  readonly keyStore: FaultyKeyStore;
  readonly authority: Authority;
  /** Milliseconds of true time. */
  readonly #trueMs: () => number;
  readonly #engine: RotationEngine;
  readonly #reports = new ReportStore(() => false);
  #held: VersionedBundle;
  #lookedMs: number;
  /** Of its clock, ahead of true time. */
  skewMs = 0;

  private constructor(parts: {
    readonly authority: Authority;
    readonly keyStore: FaultyKeyStore;
    readonly trueMs: () => number;
  }) {
    const { authority, keyStore, trueMs } = parts;
    this.authority = authority;
    this.keyStore = keyStore;
    this.#trueMs = trueMs;
    this.#held = versioned(authority.bundle());
    this.#lookedMs = trueMs();
    this.#engine = new RotationEngine({
      keyStore,
      trustDomain: TRUST_DOMAIN,
      versionOf,
      monotonicMs: trueMs,
    });
  }

  static async start(keyStore: FaultyKeyStore, trueMs: () => number): Promise<SimulatedReplica> {
    const now = trueMs();
    const authority = await createAuthority({ keyStore, trustDomain: TRUST_DOMAIN, now });
    return new SimulatedReplica({ authority, keyStore, trueMs });
  }

  get held(): VersionedBundle {
    return this.#held;
  }

  get now(): number {
    return this.#trueMs() + this.skewMs;
  }

  /** Whether it can ask the API server who a node is, and has done so lately. */
  get isServing(): boolean {
    return !this.keyStore.isAway && this.#trueMs() - this.#lookedMs <= LOOK_MS;
  }

  /** On a stream of its own; what has to be written for the others. */
  hear(report: NodeReport): DatedNodeReport | undefined {
    this.#reports.putOwn(report, this.now);
    return this.#reports.get(report.node);
  }

  /** What another replica wrote. */
  read(written: DatedNodeReport): void {
    this.#reports.putWritten(written);
  }

  async lookIfDue(mayWrite: boolean): Promise<void> {
    if (this.#trueMs() - this.#lookedMs < LOOK_MS) return;
    await this.look(mayWrite);
  }

  async look(mayWrite: boolean): Promise<void> {
    if (this.keyStore.isAway) return;
    await this.authority.look({ now: this.now, mayWrite });
    this.#lookedMs = this.#trueMs();
    const bundle = this.authority.bundle();
    if (bundle !== this.#held.bundle) this.#held = versioned(bundle);
  }

  advance(wish: RotationWish | undefined, nodes: readonly string[]): Promise<RotationProgress> {
    return this.#engine.advance({
      choose: () => wish,
      nodes: nodes.map((node) => {
        const dated = this.#reports.get(node);
        return { node, report: dated?.report, reportedAtMs: dated?.reportedAtMs ?? 0 };
      }),
      isPublished: () => true,
      now: this.now,
    });
  }
}

/** Of the bundle that the key store makes now, whether any replica has looked or not. */
export async function storedVersion(keyStore: KeyStore): Promise<string> {
  const material = await keyStore.read();
  if (!material) throw new Error("the key store is empty");
  return versionOf(bundleOf(material, { keyStore, trustDomain: TRUST_DOMAIN }));
}

function versioned(bundle: TrustBundle): VersionedBundle {
  return { bundle, version: versionOf(bundle) };
}

/** A quicker one than the operator's. */
function versionOf({ roots, issuer, retired }: TrustBundle): string {
  const hash = createHash("sha256").update(issuer);
  for (const root of roots) hash.update(root);
  for (const fingerprint of retired) hash.update(fingerprint);
  return hash.digest("hex");
}
