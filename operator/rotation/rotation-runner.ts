/**
 * Moves rotations on while this replica leads: at each change that could matter, and each second while one is under way.
 * Tells the status of every CARotation, and what is worth an Event; writes neither itself.
 */
import type { TrustBundle } from "../../core/model/trust-bundle.ts";
import type { Log } from "../../core/process/log.ts";
import { CaError } from "../ca/ca-error.ts";
import type { RotatingNode } from "../ca/rotation/node-proof.ts";
import type { RotationEngine, RotationProgress } from "../ca/rotation/rotation-engine.ts";
import type { KubeObject } from "../resources/kube-object.ts";
import {
  type ChosenRotations,
  chooseRotation,
  type HeldRotation,
  holdRotation,
  isFinished,
} from "./choose-rotation.ts";
import { heldUpEvents, phaseEvent, type RotationEvent } from "./rotation-events.ts";
import {
  endedFacts,
  pending,
  progressFacts,
  type RotationStatus,
  refusedSpec,
  type StatusFacts,
  stampStatus,
} from "./rotation-status.ts";

export interface ToldRotation {
  readonly object: KubeObject;
  readonly status: RotationStatus;
  readonly events: readonly RotationEvent[];
}

export interface RotationRunnerOptions {
  readonly engine: Pick<RotationEngine, "advance" | "close">;
  readonly rotations: () => readonly KubeObject[];
  /** Every Node there is, with its latest report. */
  readonly nodes: () => readonly RotatingNode[];
  readonly isLeader: () => boolean;
  readonly isPublished: (bundle: TrustBundle) => boolean;
  /** The key store has changed: take it, and publish what it says. */
  readonly follow: () => Promise<void>;
  /** Called where something has changed only. */
  readonly tell: (told: ToldRotation) => void;
  readonly log: Log;
}

/** Changes come in bursts, and each turn asks the key store. */
const SOON_MS = 200;
const TICK_MS = 1000;
/** Steps that can follow each other without waiting for anybody. */
const MAX_STEPS = 4;

const UNDER_WAY: readonly string[] = ["Pending", "Add", "Reissue", "Drop"];

export class RotationRunner {
  readonly #options: RotationRunnerOptions;
  /** By the object's key, as last told. */
  readonly #statuses = new Map<string, RotationStatus>();
  /** Who has been named for holding up which phase. */
  readonly #named = new Set<string>();
  #timer: NodeJS.Timeout | undefined;
  #turn = Promise.resolve();
  #isTurning = false;
  #isWoken = false;
  #isClosed = false;
  /** Keys of the open ones when the key store was last asked; `undefined` before that. */
  #asked: string | undefined;

  constructor(options: RotationRunnerOptions) {
    this.#options = options;
  }

  /** Something has changed. */
  wake(): void {
    this.#isWoken = true;
    if (!this.#isTurning) this.#tickIn(SOON_MS);
  }

  /** Of those that have been told about since this replica leads, by name. */
  statuses(): readonly (RotationStatus & { readonly name: string })[] {
    return this.#options.rotations().flatMap((object) => {
      const status = this.#statuses.get(holdRotation(object).key);
      return status ? [{ name: object.metadata.name, ...status }] : [];
    });
  }

  /** Of the one that is furthest: 0 none, 1 Pending, 2 Add, 3 Reissue, 4 Drop. */
  phase(): number {
    return Math.max(0, ...this.statuses().map(({ phase }) => UNDER_WAY.indexOf(phase) + 1));
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    clearTimeout(this.#timer);
    this.#options.engine.close();
    await this.#turn;
  }

  #tickIn(delayMs: number): void {
    if (this.#isClosed) return;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      this.#isTurning = true;
      this.#isWoken = false;
      this.#turn = this.#takeTurn().then((isUnderWay) => {
        this.#isTurning = false;
        // What has changed meanwhile the turn may not have seen.
        if (this.#isWoken) this.#tickIn(SOON_MS);
        else if (isUnderWay) this.#tickIn(TICK_MS);
      });
    }, delayMs);
  }

  /** Whether there is more to do, even if nothing changes. */
  async #takeTurn(): Promise<boolean> {
    const { isLeader, rotations } = this.#options;
    if (!isLeader()) {
      this.#statuses.clear();
      this.#asked = undefined;
      return false;
    }
    const all = rotations().map((object) => this.#hold(object));
    const open = all.filter((held) => !isFinished(held));
    const keys = open.map(({ key }) => key).join();
    // Also once when there is none: one may be under way whose object is gone.
    if (keys === "" && this.#asked === "") return false;
    await this.#move(all);
    this.#asked = keys;
    return keys !== "";
  }

  #hold(object: KubeObject): HeldRotation {
    const held = holdRotation(object);
    const told = this.#statuses.get(held.key);
    if (!told) return held;
    const { to = "", startedAt = "", finishedAt = "" } = told;
    return { ...held, progress: { ...told, to, startedAt, finishedAt } };
  }

  async #move(all: readonly HeldRotation[]): Promise<void> {
    const { engine, isPublished, follow, log } = this.#options;
    let chosen: ChosenRotations = { active: undefined, waiting: [], ended: [], refused: [] };
    try {
      let progress: RotationProgress = { kind: "moved" };
      for (let step = 0; step < MAX_STEPS && progress.kind === "moved"; step += 1) {
        progress = await engine.advance({
          choose: (stored) => {
            chosen = chooseRotation(all, stored);
            return wishOf(chosen.active);
          },
          nodes: this.#nodes(all),
          now: Date.now(),
          isPublished,
        });
        if (isBehind(progress)) await follow();
      }
      this.#tellAll(chosen, progressFacts(progress));
      if (progress.kind === "orphaned") {
        log.warn({ rotation: progress.record }, "CA rotation stands still: its CARotation is gone");
      }
    } catch (error) {
      log.error({ err: error, rotation: chosen.active?.object.metadata.name }, "CA not rotated");
      if (error instanceof CaError) this.#tellAll(chosen, this.#stuck(chosen.active, error));
    }
  }

  /** Those that report, and those that did when the rotation saw them last. */
  #nodes(all: readonly HeldRotation[]): readonly RotatingNode[] {
    const known = new Set(
      all
        .filter((held) => !isFinished(held))
        .flatMap(({ key }) => this.#statuses.get(key)?.nodes ?? [])
        .map(({ name }) => name),
    );
    return this.#options.nodes().filter(({ node, report }) => report || known.has(node));
  }

  #tellAll(chosen: ChosenRotations, facts: StatusFacts | undefined): void {
    const { active, waiting, ended, refused } = chosen;
    for (const held of refused) this.#tell(held, refusedSpec(held.refusal));
    for (const one of ended) this.#tell(one.held, endedFacts(one.ended));
    const other = active ? `CARotation ${active.object.metadata.name}` : "another one";
    const message = `${other} is under way`;
    for (const held of waiting) this.#tell(held, pending("AnotherRotation", message));
    if (active && facts) this.#tell(active, facts);
  }

  #tell(held: HeldRotation, facts: StatusFacts): void {
    const { object, progress, key } = held;
    const before = this.#statuses.get(key);
    const { generation } = object.metadata;
    const now = Date.now();
    const status = stampStatus(facts, { generation, now, before: before ?? progress });
    const events = [...this.#phaseEvents(held, status), ...this.#heldUpEvents(held, status, now)];
    this.#statuses.set(key, status);
    if (events.length === 0 && before && isSame(before, status)) return;
    this.#options.tell({ object, status, events });
  }

  #phaseEvents(
    { object, progress }: HeldRotation,
    status: RotationStatus,
  ): readonly RotationEvent[] {
    const event = phaseEvent(progress, status);
    if (!event) return [];
    const { phase, aborting, reason, from, to } = status;
    const facts = { rotation: object.metadata.name, phase, aborting, reason, from, to };
    if (event.type === "Normal") this.#options.log.info(facts, "CA rotation moved on");
    else this.#options.log.warn(facts, "CA rotation refused");
    return [event];
  }

  #heldUpEvents(
    { object, key }: HeldRotation,
    status: RotationStatus,
    now: number,
  ): readonly RotationEvent[] {
    return heldUpEvents(status, now).filter(({ node, message }) => {
      const mark = `${key} ${status.phase} ${status.aborting} ${node}`;
      if (this.#named.has(mark)) return false;
      this.#named.add(mark);
      const rotation = object.metadata.name;
      this.#options.log.warn(
        { rotation, node, reason: "rotation_held_up", message },
        "CA rotation held up",
      );
      return true;
    });
  }

  #stuck(active: HeldRotation | undefined, error: CaError): StatusFacts | undefined {
    if (!active) return undefined;
    const before = this.#statuses.get(active.key) ?? pending("", "");
    return { ...before, reason: "CaCannotSign", message: error.message };
  }
}

/** What is stored has changed, or what it says has not been published yet. */
function isBehind(progress: RotationProgress): boolean {
  const waitsForRoots = progress.kind === "wait" && progress.waitsFor === "publishing";
  return progress.kind === "moved" || waitsForRoots;
}

function wishOf(held: HeldRotation | undefined) {
  if (!held?.rotation) return undefined;
  const { authority, abort, waivedNodes } = held.rotation;
  return { object: held.key, authority, abort, waivedNodes };
}

/** But for the times of reports, which change all the time. */
function isSame(one: RotationStatus, other: RotationStatus): boolean {
  return contentOf(one) === contentOf(other);
}

function contentOf(status: RotationStatus): string {
  return JSON.stringify(status, (key, value: unknown) => (key === "lastReportAt" ? "" : value));
}
