/**
 * HTTP metrics of requests, by who called whom: how many with what status, how long they took, how large they were.
 *
 * Counted in plain numbers and handed to prom-client when somebody scrapes. Statuses are the application's to choose,
 * so the number of series is bounded for all pairs of workloads together; what goes beyond is counted, in fewer series.
 */
import type { MetricValueWithName, Registry } from "prom-client";
import { PAIR_LABELS, type PairLabels } from "./pair-labels.ts";
import type { Prometheus } from "./prometheus.ts";
import { DURATION_BOUNDS_S, RequestTally } from "./request-tally.ts";

export interface RequestBudget {
  /** Pairs with a status and a reason. */
  readonly statuses: number;
  /** The same of one pair: an application that answers with everything leaves the others theirs. */
  readonly statusesOfPair: number;
  /** Pairs with a class of statuses: about twenty samples each. */
  readonly tallies: number;
}

export const REQUEST_BUDGET: RequestBudget = {
  statuses: 10_000,
  statusesOfPair: 100,
  tallies: 1_000,
};

/** One request that has ended. */
export interface EndedRequest {
  /** 0: it had no answer. */
  readonly status: number;
  readonly code: string;
  readonly durationMs: number;
  readonly requestBytes: number;
  readonly responseBytes: number;
}

/** No status. */
const OTHER = -1;

interface StatusCount {
  readonly labels: Readonly<Record<string, string>>;
  count: number;
}

/** Of one pair of workloads. */
export interface PairRequests {
  readonly labels: PairLabels;
  /** Of the pair that counts for those beyond a budget: same direction, same kind of way. */
  readonly other: PairRequests | undefined;
  readonly byStatus: Map<number, Map<string, StatusCount>>;
  /** How many are in `byStatus`. */
  statuses: number;
  /** By class: 1 to 5, 0 for no answer. */
  readonly tallies: (RequestTally | undefined)[];
}

export class RequestMetrics {
  readonly #budget: RequestBudget;
  readonly #statuses: StatusCount[] = [];
  readonly #tallies: RequestTally[] = [];
  #statusesBeyond = 0;
  #talliesBeyond = 0;

  constructor(budget: RequestBudget) {
    this.#budget = budget;
  }

  count(pair: PairRequests, request: EndedRequest): void {
    const { status, code } = request;
    const counted = pair.byStatus.get(status)?.get(code) ?? this.#newStatus(pair, status, code);
    counted.count += 1;
    const level = classOf(status);
    (pair.tallies[level] ?? this.#newTally(pair, level)).add(request);
  }

  /** How often something had no series of its own, by what it was. */
  beyond(): Readonly<Record<"status" | "duration", number>> {
    return { status: this.#statusesBeyond, duration: this.#talliesBeyond };
  }

  expose(registry: Registry, prometheus: Prometheus): void {
    const registers = [registry];
    const requests = new prometheus.Counter({
      name: "weft_http_requests_total",
      help: "Requests that were judged, by the status of their answer and by the reason of what went wrong",
      labelNames: [...PAIR_LABELS, "status", "reason"],
      registers,
      collect: () => {
        requests.reset();
        for (const { labels, count } of this.#statuses) requests.inc(labels, count);
      },
    });
    exposeDurations(this.#tallies, registry, prometheus);
    for (const [name, help, read] of SIZES) {
      const bytes = new prometheus.Counter({
        name,
        help,
        labelNames: [...PAIR_LABELS, "status_class"],
        registers,
        collect: () => {
          bytes.reset();
          for (const tally of this.#tallies) bytes.inc(tally.labels, read(tally));
        },
      });
    }
  }

  #newStatus(pair: PairRequests, status: number, code: string): StatusCount {
    const { statuses, statusesOfPair } = this.#budget;
    const isFull = this.#statuses.length >= statuses;
    if (!isFull && pair.statuses < statusesOfPair) return this.#addStatus(pair, status, code);
    this.#statusesBeyond += 1;
    const of = isFull ? (pair.other ?? pair) : pair;
    return of.byStatus.get(OTHER)?.get("") ?? this.#addStatus(of, OTHER, "");
  }

  #addStatus(pair: PairRequests, status: number, code: string): StatusCount {
    const named =
      status === OTHER
        ? { status: "other", reason: "other" }
        : { status: String(status), reason: code };
    const added = { labels: { ...pair.labels, ...named }, count: 0 };
    const codes = pair.byStatus.get(status);
    if (codes) codes.set(code, added);
    else pair.byStatus.set(status, new Map([[code, added]]));
    pair.statuses += 1;
    this.#statuses.push(added);
    return added;
  }

  #newTally(pair: PairRequests, level: number): RequestTally {
    const isBeyond = this.#tallies.length >= this.#budget.tallies;
    if (isBeyond) this.#talliesBeyond += 1;
    const of = isBeyond ? (pair.other ?? pair) : pair;
    const known = of.tallies[level];
    if (known) return known;
    const status_class = level === 0 ? "none" : `${level}xx`;
    const added = new RequestTally({ ...of.labels, status_class });
    of.tallies[level] = added;
    this.#tallies.push(added);
    return added;
  }
}

const SIZES: readonly (readonly [string, string, (tally: RequestTally) => number])[] = [
  ["weft_http_request_bytes_total", "Bytes of the bodies of requests", (one) => one.requestBytes],
  ["weft_http_response_bytes_total", "Bytes of the bodies of answers", (one) => one.responseBytes],
];

function classOf(status: number): number {
  return status >= 100 && status < 600 ? Math.trunc(status / 100) : 0;
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
    labelNames: [...PAIR_LABELS, "status_class"],
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
