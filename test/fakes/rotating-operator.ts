/**
 * The operator as far as weftctl sees it rotate the CA: CARotations whose status it moves on, one step each
 * time that somebody looks, and never past a node that has not proved and is not waived.
 */

type Json = Readonly<Record<string, unknown>>;

const COLLECTION = "/apis/weft.dev/v1/carotations";
const STEPS = { root: ["Add", "Reissue", "Drop"], intermediate: ["Reissue", "Drop"] } as const;

interface Spec {
  readonly authority: "root" | "intermediate";
  readonly abort?: boolean;
  readonly waivedNodes?: readonly string[];
}

interface Rotation {
  readonly name: string;
  readonly createdAt: string;
  spec: Spec;
  version: number;
  phase: string;
  phaseSince: string;
  /** The nodes of this phase have had one look to prove. */
  isProving: boolean;
}

export class RotatingOperator {
  /** What weftctl asked for, oldest first: `create root`, `patch root-1 {"abort":true}`. */
  readonly writes: string[] = [];
  nodes: readonly string[] = ["node-a", "node-b"];
  /** These never prove anything. */
  readonly stuck = new Set<string>();
  /** Refuses every rotation with this code. */
  refusal = "";
  /** Looks at nothing: an operator that is away. */
  isAway = false;
  /** Answers every call about rotations so: 403 forbidden, 404 for a mesh without the kind, 503. */
  failing = 0;
  /** Called with the phase before each look of somebody. */
  onLook: (phase: string) => void = () => undefined;
  /** Called before a new one is there. */
  onCreate: () => void = () => undefined;
  /** Since when the phases last; by default since they began. */
  phaseSince: string | undefined;
  readonly #rotations = new Map<string, Rotation>();

  /** One that is under way already. */
  put(name: string, spec: Spec, phase: string): void {
    const at = new Date().toISOString();
    const fixed = { name, spec, phase, createdAt: at, version: 1 };
    this.#rotations.set(name, { ...fixed, phaseSince: this.phaseSince ?? at, isProving: false });
  }

  phaseOf(name: string): string | undefined {
    return this.#rotations.get(name)?.phase;
  }

  remove(name: string): void {
    this.#rotations.delete(name);
  }

  /** `undefined` for what is none of its business. */
  answer(method: string, path: string, body: Json): Json | undefined {
    if (path !== COLLECTION && !path.startsWith(`${COLLECTION}/`)) return undefined;
    if (this.failing !== 0) return failure(this.failing);
    if (method === "POST") return this.#create(body);
    if (path === COLLECTION) {
      return { metadata: {}, items: [...this.#rotations.values()].map((each) => this.#show(each)) };
    }
    const rotation = this.#rotations.get(path.slice(COLLECTION.length + 1));
    if (!rotation) return failure(404);
    if (method === "PATCH") return this.#patch(rotation, body);
    if (method === "DELETE") return this.#delete(rotation);
    this.onLook(rotation.phase);
    if (!this.isAway) this.#advance(rotation);
    return this.#rotations.has(rotation.name) ? this.#show(rotation) : failure(404);
  }

  #create(body: Json): Json {
    const spec = body["spec"] as Spec;
    const { generateName } = body["metadata"] as { readonly generateName: string };
    this.writes.push(`create ${JSON.stringify(spec)}`);
    this.onCreate();
    const name = `${generateName}${this.#rotations.size + 1}`;
    this.put(name, spec, "");
    const made = this.#rotations.get(name);
    return made ? this.#show(made) : failure(500);
  }

  #patch(rotation: Rotation, body: Json): Json {
    const { resourceVersion } = (body["metadata"] ?? {}) as { readonly resourceVersion?: string };
    if (resourceVersion !== undefined && resourceVersion !== String(rotation.version)) {
      return failure(409);
    }
    this.writes.push(`patch ${rotation.name} ${JSON.stringify(body["spec"])}`);
    rotation.spec = { ...rotation.spec, ...(body["spec"] as Partial<Spec>) };
    rotation.version += 1;
    return this.#show(rotation);
  }

  #delete({ name }: Rotation): Json {
    this.writes.push(`delete ${name}`);
    this.remove(name);
    return { kind: "Status", status: "Success" };
  }

  #advance(rotation: Rotation): void {
    const { spec, phase } = rotation;
    if (this.refusal !== "") this.#enter(rotation, "Refused");
    else if (spec.abort === true) this.#enter(rotation, "Aborted");
    else if (phase === "" || phase === "Pending") this.#enter(rotation, STEPS[spec.authority][0]);
    else if (!rotation.isProving) rotation.isProving = true;
    else if (this.#waitingOf(rotation).length === 0) {
      const steps: readonly string[] = STEPS[spec.authority];
      this.#enter(rotation, steps[steps.indexOf(phase) + 1] ?? "Complete");
    }
  }

  #enter(rotation: Rotation, phase: string): void {
    rotation.phase = phase;
    rotation.isProving = false;
    rotation.phaseSince = this.phaseSince ?? new Date().toISOString();
    rotation.version += 1;
  }

  #waitingOf({ spec, isProving }: Rotation): readonly string[] {
    const asked = this.nodes.filter((node) => !spec.waivedNodes?.includes(node));
    return isProving ? asked.filter((node) => this.stuck.has(node)) : asked;
  }

  #show(rotation: Rotation): Json {
    const { name, spec, phase, version, createdAt, phaseSince } = rotation;
    const metadata = { name, creationTimestamp: createdAt, resourceVersion: String(version) };
    if (phase === "") return { kind: "CARotation", metadata, spec };
    const isOver = phase === "Complete" || phase === "Aborted";
    const waiting = isOver ? [] : this.#waitingOf(rotation);
    const nodes = this.nodes.map((node) => {
      const isWaived = spec.waivedNodes?.includes(node) ?? false;
      const isWaiting = waiting.includes(node);
      const state = isWaived ? "Waived" : isWaiting ? "Waiting" : "Proven";
      const missing = isWaiting ? (phase === "Reissue" ? "Leaves" : "Bundle") : "";
      return { name: node, state, missing, message: "", lastReportAt: createdAt };
    });
    const nodesProven = `${this.nodes.length - waiting.length}/${this.nodes.length}`;
    const refused = { reason: this.refusal, message: "as it was told to" };
    const told = phase === "Refused" ? refused : { reason: "", message: "" };
    const status = { phase, phaseSince, nodesProven, nodes, from: "aa", to: "bb", ...told };
    return { kind: "CARotation", metadata, spec, status: { ...status, aborting: spec.abort } };
  }
}

function failure(code: number): Json {
  return { kind: "Status", code, reason: "Told", message: "told to fail" };
}
