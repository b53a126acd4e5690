/**
 * The names of workloads as log and metrics give them: made once for each version of a workload, and not
 * for each of its connections. Never asks who is at an address.
 */
import type { SpiffeId } from "../core/model/spiffe-id.ts";
import { formatSpiffeId } from "../core/model/spiffe-id.ts";
import { NO_PARTY, type Party } from "./flow/connection-facts.ts";

/** What a workload and an enrolment have in common. */
type Named = Omit<Party, "identity"> & Pick<SpiffeId, "serviceAccount">;

export class Parties {
  readonly #trustDomain: () => string | undefined;
  #known = new WeakMap<Named, Party>();
  #knownDomain: string | undefined;

  constructor(trustDomain: () => string | undefined) {
    this.#trustDomain = trustDomain;
  }

  /** Its identity is "" as long as the trust domain is not known. */
  of(named: Named | undefined): Party {
    if (!named) return NO_PARTY;
    const trustDomain = this.#trustDomain();
    if (trustDomain !== this.#knownDomain) {
      this.#knownDomain = trustDomain;
      this.#known = new WeakMap();
    }
    const known = this.#known.get(named);
    if (known) return known;
    const { namespace, name, owner } = named;
    const identity = trustDomain === undefined ? "" : formatSpiffeId({ trustDomain, ...named });
    const party = { namespace, name, owner, identity };
    this.#known.set(named, party);
    return party;
  }
}
