/** A decision in the words of the log. */
import type { Decision } from "../authz/decide.ts";
import type { ConnectionFacts, Watched } from "../flow/connection-facts.ts";
import type { Refusal } from "../flow/connections.ts";
import type { Cut } from "../flow/describe-open.ts";

export function watchedFacts<Facts extends ConnectionFacts>(
  facts: Facts,
  { observed, dryRun }: Decision,
): Facts {
  const isWatched = observed.length > 0 || dryRun !== undefined;
  return isWatched ? { ...facts, watched: watchedBy(observed, dryRun) } : facts;
}

function watchedBy(matches: Watched["matches"], dryRun: Watched["dryRun"]): Watched {
  return { matches, ...(dryRun === undefined ? {} : { dryRun }) };
}

export function refusalOf({ reason: code, policy, rule }: Cut): Refusal {
  return {
    code,
    ...(policy === undefined ? {} : { policy }),
    ...(rule === undefined ? {} : { rule }),
  };
}
