/**
 * HTTP metrics of requests, by who called whom and by what route: how many with what status, how long they
 * took, how large they were.
 *
 * Counted in plain numbers and handed to prom-client when somebody scrapes. Statuses are the application's to choose,
 * so the number of series is bounded for all pairs of workloads together; what goes beyond is counted, in fewer series.
 */
import type { MetricValueWithName, Registry } from "prom-client";
import { PAIR_LABELS, type PairLabels } from "./pair-labels.ts";
import type { Prometheus } from "./prometheus.ts";
import {
  DURATION_BOUNDS_S,
  RequestTally,
  TALLY_LABELS,
  type TallyLabels,
} from "./request-tally.ts";

export interface RequestBudget {
  /** Pairs with a route, a status and a reason. */
  readonly statuses: number;
  /** The same of one pair: an application that answers with everything leaves the others theirs. */
  readonly statusesOfPair: number;
  /** Pairs with a route, a class of statuses and a reason: about twenty samples each. */
  readonly tallies: number;
}

export const REQUEST_BUDGET: RequestBudget = {
  statuses: 10_000,
  statusesOfPair: 100,
  tallies: 1_000,
};

/** One request that has ended. */
export interface EndedRequest {
  /** `namespace/name` of the one that ruled it, "" where none did. */
  readonly route: string;
  /** 0: it had no answer. */
  readonly status: number;
  readonly code: string;
  readonly durationMs: number;
  readonly requestBytes: number;
  readonly responseBytes: number;
}

/** In place of a value that has no series of its own. */
const OTHER = "other";

/** What is counted of requests that are alike. */
interface Alike extends Counted {
  readonly measured: Measured;
}

/** Where durations and sizes are counted. */
interface Measured {
  readonly tally: RequestTally;
  /** It is that of all that have none of their own. */
  readonly isBeyond: boolean;
}

interface Counted {
  readonly labels: Readonly<Record<string, string>>;
  count: number;
}

/** By route, status and code. */
type AlikeByRoute = Map<string, Map<number, Map<string, Alike>>>;

/** Of one pair of workloads. */
export interface PairRequests {
  readonly labels: PairLabels;
  /** Of the pair that counts for those beyond a budget: same direction, same kind of way. */
  readonly other: PairRequests | undefined;
  readonly alike: AlikeByRoute;
  /** How many are in `alike`. */
  statuses: number;
  /** By route, class and code. */
  readonly tallies: Map<string, RequestTally>;
  /** What is beyond a budget. */
  rest: Counted | undefined;
}

export function createPairRequests(
  labels: PairLabels,
  other: PairRequests | undefined,
): PairRequests {
  return { labels, other, alike: new Map(), statuses: 0, tallies: new Map(), rest: undefined };
}

export class RequestMetrics {
  readonly #budget: RequestBudget;
  readonly #counted: Counted[] = [];
  readonly #tallies: RequestTally[] = [];
  #statusesBeyond = 0;
  #talliesBeyond = 0;

  constructor(budget: RequestBudget) {
    this.#budget = budget;
  }

  count(pair: PairRequests, request: EndedRequest): void {
    const { route, status, code } = request;
    const alike = pair.alike.get(route)?.get(status)?.get(code);
    if (alike) alike.count += 1;
    const { tally, isBeyond } = alike?.measured ?? this.#countFirst(pair, request);
    if (isBeyond) this.#talliesBeyond += 1;
    tally.add(request);
  }

  /** How often something had no series of its own, by what it was. */
  beyond(): Readonly<Record<"status" | "duration", number>> {
    return { status: this.#statusesBeyond, duration: this.#talliesBeyond };
  }

  expose(registry: Registry, prometheus: Prometheus): void {
    const registers = [registry];
    const requests = new prometheus.Counter({
      name: "weft_http_requests_total",
      help: "Requests by the route that ruled them, the status of their answer and the reason of what went wrong",
      labelNames: [...PAIR_LABELS, "route", "status", "reason"],
      registers,
      collect: () => {
        requests.reset();
        for (const { labels, count } of this.#counted) requests.inc(labels, count);
      },
    });
    exposeDurations(this.#tallies, registry, prometheus);
    for (const [name, help, read] of SIZES) {
      const bytes = new prometheus.Counter({
        name,
        help,
        labelNames: [...PAIR_LABELS, ...TALLY_LABELS],
        registers,
        collect: () => {
          bytes.reset();
          for (const tally of this.#tallies) bytes.inc(tally.labels, read(tally));
        },
      });
    }
  }

  /** Of those that are alike. */
  #countFirst(pair: PairRequests, request: EndedRequest): Measured {
    const measured = this.#measuredOf(pair, request);
    const { statuses, statusesOfPair } = this.#budget;
    const isFull = this.#counted.length >= statuses;
    if (isFull || pair.statuses >= statusesOfPair) {
      this.#statusesBeyond += 1;
      this.#restOf(isFull ? (pair.other ?? pair) : pair).count += 1;
      return measured;
    }
    const { route, status, code } = request;
    const labels = { ...pair.labels, route, status: String(status), reason: code };
    const alike = { labels, measured, count: 1 };
    const ofRoute = pair.alike.get(route) ?? new Map<number, Map<string, Alike>>();
    const ofStatus = ofRoute.get(status) ?? new Map<string, Alike>();
    pair.alike.set(route, ofRoute.set(status, ofStatus.set(code, alike)));
    pair.statuses += 1;
    this.#counted.push(alike);
    return measured;
  }

  #restOf(pair: PairRequests): Counted {
    if (pair.rest) return pair.rest;
    const others = { route: OTHER, status: OTHER, reason: OTHER };
    pair.rest = { labels: { ...pair.labels, ...others }, count: 0 };
    this.#counted.push(pair.rest);
    return pair.rest;
  }

  #measuredOf(pair: PairRequests, { route, status, code }: EndedRequest): Measured {
    const status_class = classOf(status);
    const own = { route, status_class, reason: code };
    const known = pair.tallies.get(keyOf(own));
    if (known) return { tally: known, isBeyond: false };
    const isBeyond = this.#tallies.length >= this.#budget.tallies;
    const of = isBeyond ? (pair.other ?? pair) : pair;
    const labels = isBeyond ? { route: OTHER, status_class, reason: OTHER } : own;
    const key = keyOf(labels);
    const tally = of.tallies.get(key) ?? new RequestTally({ ...of.labels, ...labels });
    if (!of.tallies.has(key)) {
      of.tallies.set(key, tally);
      this.#tallies.push(tally);
    }
    return { tally, isBeyond };
  }
}

const SIZES: readonly (readonly [string, string, (tally: RequestTally) => number])[] = [
  ["weft_http_request_bytes_total", "Bytes of the bodies of requests", (one) => one.requestBytes],
  ["weft_http_response_bytes_total", "Bytes of the bodies of answers", (one) => one.responseBytes],
];

function classOf(status: number): string {
  return status >= 100 && status < 600 ? `${Math.trunc(status / 100)}xx` : "none";
}

function keyOf({ route, status_class, reason }: TallyLabels): string {
  return `${route} ${status_class} ${reason}`;
}

/** prom-client can only observe value by value; here they come counted. */
function exposeDurations(
  tallies: readonly RequestTally[],
  registry: Registry,
  { Histogram }: Prometheus,
): void {
  const name = "weft_http_request_duration_seconds";
  const settings = {
    name,
    help: "From the head of a request to the end of its answer",
    labelNames: [...PAIR_LABELS, ...TALLY_LABELS],
    buckets: [...DURATION_BOUNDS_S],
  };
  const empty = new Histogram({ ...settings, registers: [] });
  const shown = new Histogram({ ...settings, registers: [registry] });
  Object.assign(shown, {
    get: async () => ({ ...(await empty.get()), values: tallies.flatMap(plainSamples) }),
    // What a registry reads instead where it writes text.
    getForPromString: async () => ({
      ...(await empty.get()),
      values: tallies.flatMap((tally) => tally.samples(name)),
    }),
  });

  function plainSamples(tally: RequestTally): readonly MetricValueWithName<string>[] {
    return tally.samples(name).map(({ metricName, labels, sharedLabels, value }) => ({
      metricName,
      labels: { ...labels, ...sharedLabels },
      value,
    }));
  }
}
