/**
 * What the control process knows of the mesh's configuration and reads from it: who is enrolled here, as
 * whom, which roots are trusted. Decides nothing; the traffic process has its own indexed view.
 */
import type { Enrolment } from "../core/model/enrolment.ts";
import type { NodeReport } from "../core/model/node-report.ts";
import type { Changes, Resource } from "../core/model/resource.ts";
import { isSpiffeId, type SpiffeId } from "../core/model/spiffe-id.ts";
import type { TrustBundle } from "../core/model/trust-bundle.ts";
import { HeldResources, type HeldVersion } from "./control/held-resources.ts";

export class NodeConfiguration {
  readonly #held = new HeldResources();
  #isKnown = false;
  /** Made anew at the next question after a change. */
  #revoked: ReadonlySet<string> | undefined;

  /** False until a snapshot or the operator has said anything: then nobody may be released. */
  get isKnown(): boolean {
    return this.#isKnown;
  }

  apply(changes: Changes): void {
    this.#held.apply(changes);
    this.#isKnown = true;
    this.#revoked = undefined;
  }

  all(): readonly Resource[] {
    return this.#held.all();
  }

  versions(): readonly HeldVersion[] {
    return this.#held.versions();
  }

  /** By pod UID. */
  enrolments(): ReadonlyMap<string, Enrolment> {
    return new Map(
      this.all().flatMap(({ body }) =>
        body.kind === "enrolment" ? [[body.value.uid, body.value] as const] : [],
      ),
    );
  }

  /** The identity of every enrolled pod; empty while the mesh's trust domain is unknown. */
  identities(): readonly (readonly [string, SpiffeId])[] {
    const settings = this.#held.get({ kind: "settings", name: "mesh" })?.body;
    if (settings?.kind !== "settings") return [];
    const { trustDomain } = settings.value;
    return [...this.enrolments().values()].flatMap(({ uid, namespace, serviceAccount }) => {
      const identity = { trustDomain, namespace, serviceAccount };
      return isSpiffeId(identity) ? [[uid, identity] as const] : [];
    });
  }

  bundles(): readonly TrustBundle[] {
    return this.all().flatMap(({ body }) => (body.kind === "bundle" ? [body.value] : []));
  }

  /** Hex SHA-256 of the certificate that signs this mesh's leaves now; "" where that is not said. */
  issuer(): string {
    const settings = this.#held.get({ kind: "settings", name: "mesh" })?.body;
    if (settings?.kind !== "settings") return "";
    const bundle = this.#held.get({ kind: "bundle", name: settings.value.trustDomain })?.body;
    return bundle?.kind === "bundle" ? bundle.value.issuer : "";
  }

  bundleVersions(): NodeReport["bundles"] {
    return this.all().flatMap(({ body, version }) =>
      body.kind === "bundle" ? [{ trustDomain: body.value.trustDomain, version }] : [],
    );
  }

  /** Whether a leaf was taken back, by its serial in hex. */
  isRevoked(serial: string): boolean {
    this.#revoked ??= new Set(
      this.all().flatMap(({ body }) => (body.kind === "revocation" ? body.value.serials : [])),
    );
    return this.#revoked.has(serial);
  }

  /**
   * Of pods that need a certificate. One that is released keeps its own until the last caller has left its tunnel; one
   * that is gone does not, though some process of it may live on.
   */
  neededUids(captured: readonly string[]): ReadonlySet<string> {
    const there = captured.filter((uid) => this.#held.get({ kind: "workload", name: uid }));
    return new Set([...this.enrolments().keys(), ...there]);
  }

  /** False only where the workload is there and no caller tunnels to it: of one that is gone nobody knows. */
  hasTunnel(uid: string): boolean {
    const body = this.#held.get({ kind: "workload", name: uid })?.body;
    return body?.kind !== "workload" || body.value.tunnel;
  }

  /** UIDs of workloads that by these changes no caller tunnels to: still there, and not captured. */
  withoutTunnel({ upserts }: Changes): readonly string[] {
    return upserts.flatMap(({ body }) =>
      body.kind === "workload" && !body.value.tunnel ? [body.value.uid] : [],
    );
  }
}
