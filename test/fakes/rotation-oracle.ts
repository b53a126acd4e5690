/**
 * Which handshakes of a simulated mesh should succeed, whatever the rotation does: those of all leaves that are in time,
 * and none of a CA that was dropped or never trusted. Throws at the first that is otherwise.
 */
import type { SimulatedMesh } from "./simulated-mesh.ts";
import type { SimulatedLeaf, SimulatedNode } from "./simulated-node.ts";

export class RotationOracle {
  readonly #mesh: SimulatedMesh;
  /** Of a CA that this mesh has never trusted. */
  readonly #stranger: SimulatedLeaf;
  /** A leaf of each issuer there ever was, as a thief would keep it. */
  readonly #stolen = new Map<string, SimulatedLeaf>();
  readonly #dropped = new Set<string>();
  /** Waived, and not caught up since: whoever waives a node gives up on what it does until then. */
  readonly #excused = new Set<SimulatedNode>();
  succeeded = 0;
  refused = 0;

  constructor(mesh: SimulatedMesh, stranger: SimulatedLeaf) {
    this.#mesh = mesh;
    this.#stranger = stranger;
  }

  excuse(names: readonly string[]): void {
    for (const node of this.#mesh.nodes) if (names.includes(node.name)) this.#excused.add(node);
  }

  /** The rotation says that nobody trusts that issuer any more. */
  drop(issuer: string): void {
    this.#dropped.add(issuer);
  }

  /** A node that was waived, and holds what is told to everybody by now, counts again. */
  async welcomeBack(): Promise<void> {
    const current = await this.#mesh.bundleVersion();
    for (const node of this.#excused) {
      const { version, bundle } = node.held;
      if (version === current && node.leaf.issuer === bundle.issuer) this.#excused.delete(node);
    }
  }

  /** Of the CAs that were dropped only the last ones: `checkAllDropped` asks for the others. */
  check(): void {
    const { nodes } = this.#mesh;
    for (const { leaf } of nodes) {
      if (!this.#stolen.has(leaf.issuer)) this.#stolen.set(leaf.issuer, leaf);
    }
    const counted = nodes.filter((node) => !this.#excused.has(node));
    for (const client of counted) for (const server of counted) this.#shakeHands(client, server);
    for (const node of nodes) this.#refuse(node, this.#stranger, "a stranger's leaf");
    this.#refuseDropped([...this.#dropped].slice(-3));
    this.#checkTunnels();
  }

  checkAllDropped(): void {
    this.#refuseDropped([...this.#dropped]);
  }

  #refuseDropped(issuers: readonly string[]): void {
    for (const issuer of issuers) {
      const leaf = this.#stolen.get(issuer);
      if (!leaf) continue;
      for (const node of this.#mesh.nodes) {
        if (!this.#excused.has(node)) this.#refuse(node, leaf, "a leaf of a dropped CA");
      }
    }
  }

  #shakeHands(client: SimulatedNode, server: SimulatedNode): void {
    const { now } = this.#mesh;
    const isInTime = client.isInTime(server.leaf, now) && server.isInTime(client.leaf, now);
    const isAccepted = client.accepts(server.leaf, now) && server.accepts(client.leaf, now);
    if (isInTime !== isAccepted) {
      throw new Error(`handshake of ${client.name} with ${server.name} is ${isAccepted}`);
    }
    if (isAccepted) this.succeeded += 1;
  }

  #refuse(node: SimulatedNode, leaf: SimulatedLeaf, what: string): void {
    if (node.trusts(leaf)) throw new Error(`${node.name} accepts ${what}`);
    this.refused += 1;
  }

  /** One under a certificate that is retired ends at once, with whatever it carries. */
  #checkTunnels(): void {
    for (const { by, ends } of this.#mesh.cuts) {
      if (ends.some((end) => this.#excused.has(end))) continue;
      throw new Error(`${by.name} cuts an open tunnel`);
    }
  }
}
