/**
 * Which node gets what: everything global, the enrolments of its own pods, and exactly the policies
 * that these refer to.
 *
 * Policies come and go with the enrolments that name them, in the same changes, so a node never
 * holds a reference without its policy because of the order of things.
 */
import type { Changes, Resource } from "../../core/model/resource.ts";
import { ResourceTable } from "./resource-table.ts";

export class NodeTables {
  readonly global = new ResourceTable();
  readonly #tables = new Map<string, ResourceTable>();
  readonly #policies = new Map<string, Resource>();
  /** Policy → node → UIDs of its enrolments that refer to it. */
  readonly #holders = new Map<string, Map<string, Set<string>>>();

  resourcesFor(node: string): ReadonlyMap<string, Resource> {
    const own = this.#tables.get(node)?.entries() ?? [];
    return new Map([...this.global.entries(), ...own]);
  }

  findEnrolment(node: string, uid: string): Resource | undefined {
    return this.#tables.get(node)?.get({ kind: "enrolment", name: uid });
  }

  findPolicy(ref: string): Resource | undefined {
    return this.#policies.get(ref);
  }

  nodesHolding(ref: string): readonly string[] {
    return [...(this.#holders.get(ref)?.keys() ?? [])].toSorted();
  }

  /** The enrolments on that node that refer to the policy. */
  enrolmentsHolding(ref: string, node: string): readonly Resource[] {
    const uids = this.#holders.get(ref)?.get(node) ?? [];
    return [...uids].flatMap((uid) => this.findEnrolment(node, uid) ?? []);
  }

  /** A policy's new content, for whoever refers to it; before the enrolments that begin to. */
  putPolicy(policy: Resource): void {
    this.#policies.set(policy.name, policy);
    for (const node of this.#holders.get(policy.name)?.keys() ?? []) this.#table(node).put(policy);
  }

  /** After the enrolments have stopped referring to it. */
  dropPolicy(ref: string): void {
    this.#policies.delete(ref);
  }

  putEnrolment(node: string, enrolment: Resource): void {
    const table = this.#table(node);
    const before = table.get({ kind: "enrolment", name: enrolment.name });
    if (before?.version === enrolment.version) return;
    table.put(enrolment);
    const uid = enrolment.name;
    const kept = new Set(policiesOf(enrolment));
    for (const ref of kept) this.#takeUp(node, ref, uid);
    for (const ref of policiesOf(before)) if (!kept.has(ref)) this.#letGo(node, ref, uid);
  }

  dropEnrolment(node: string, uid: string): void {
    const table = this.#tables.get(node);
    const ref = { kind: "enrolment", name: uid } as const;
    const before = table?.get(ref);
    if (!table || !before) return;
    table.drop(ref);
    for (const policy of policiesOf(before)) this.#letGo(node, policy, uid);
  }

  /** Global changes once, then those of each node that has some; nobody's are lost, nobody's come twice. */
  takeChanges(): { readonly global: Changes; readonly nodes: ReadonlyMap<string, Changes> } {
    const global = this.global.takeChanges();
    const nodes = new Map<string, Changes>();
    for (const [node, table] of this.#tables) {
      if (table.isTouched) nodes.set(node, table.takeChanges());
      if (table.entries().size === 0) this.#tables.delete(node);
    }
    return { global, nodes };
  }

  #table(node: string): ResourceTable {
    const table = this.#tables.get(node) ?? new ResourceTable();
    this.#tables.set(node, table);
    return table;
  }

  #takeUp(node: string, ref: string, uid: string): void {
    const nodes = this.#holders.get(ref) ?? new Map<string, Set<string>>();
    nodes.set(node, (nodes.get(node) ?? new Set<string>()).add(uid));
    this.#holders.set(ref, nodes);
    const policy = this.#policies.get(ref);
    if (policy) this.#table(node).put(policy);
  }

  #letGo(node: string, ref: string, uid: string): void {
    const nodes = this.#holders.get(ref);
    const uids = nodes?.get(node);
    uids?.delete(uid);
    if (uids && uids.size > 0) return;
    nodes?.delete(node);
    if (nodes?.size === 0) this.#holders.delete(ref);
    this.#table(node).drop({ kind: "policy", name: ref });
  }
}

function policiesOf(resource: Resource | undefined): readonly string[] {
  return resource?.body.kind === "enrolment" ? resource.body.value.policies : [];
}
