/**
 * Finds what is counted of two workloads, for each request anew: by the names as they lie, since a text made of them
 * costs more than all else that is counted. Knows no bound; whoever adds has one.
 */
import type { ConnectionFacts, Party } from "../flow/connection-facts.ts";

export type PairFacts = Pick<ConnectionFacts, "direction" | "source" | "destination" | "tunnelled">;

/** By the owner's name. */
type Owners<Value> = Map<string, Value>;
/** By the namespace. */
type Parties<Value> = Map<string, Owners<Value>>;

export class PairTable<Value> {
  /** By `sideOf`. */
  readonly #sides: readonly Parties<Parties<Value>>[] = [
    new Map(),
    new Map(),
    new Map(),
    new Map(),
  ];
  readonly #values: Value[] = [];

  get size(): number {
    return this.#values.length;
  }

  /** In the order they were added. */
  values(): readonly Value[] {
    return this.#values;
  }

  get(facts: PairFacts): Value | undefined {
    const { source, destination } = facts;
    return this.#sides[sideOf(facts)]
      ?.get(source.namespace)
      ?.get(source.owner)
      ?.get(destination.namespace)
      ?.get(destination.owner);
  }

  /** What `get` did not find. */
  add(facts: PairFacts, value: Value): void {
    const sources = this.#sides[sideOf(facts)];
    if (!sources) return;
    const known = sources.get(facts.source.namespace)?.get(facts.source.owner);
    const destinations: Parties<Value> = known ?? new Map();
    if (!known) put(sources, facts.source, destinations);
    put(destinations, facts.destination, value);
    this.#values.push(value);
  }
}

function put<Value>(parties: Parties<Value>, { namespace, owner }: Party, value: Value): void {
  const owners = parties.get(namespace);
  if (owners) owners.set(owner, value);
  else parties.set(namespace, new Map([[owner, value]]));
}

function sideOf({ direction, tunnelled }: PairFacts): number {
  return (direction === "inbound" ? 0 : 2) + (tunnelled ? 1 : 0);
}
