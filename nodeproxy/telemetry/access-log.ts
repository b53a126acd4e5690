/**
 * One JSON line for each connection, at its end, in the form of pino.
 *
 * Written by hand on pino's own destination: thousands of lines a second must not cost the connections
 * they tell of. Written in batches; a disk that does not keep up loses lines, counted, never memory.
 */
import { pino } from "pino";
import type { ConnectionFacts, ConnectionOutcome, Watched } from "../flow/connection-facts.ts";

/** Below the 16 KiB that the destination writes at once, as it demands. */
const BATCH_BYTES = 8_192;
const FLUSH_MS = 200;
const MAX_WAITING_BYTES = 16 << 20;

export interface AccessLog {
  write(facts: ConnectionFacts, outcome: ConnectionOutcome): void;
  /** Writes what waits, then closes. Resolves once it is written, or never can be. */
  close(): Promise<void>;
}

export interface AccessLogOptions {
  /** Path to append to; "" is standard output. */
  readonly file: string;
  readonly onDropped: () => void;
}

export function createAccessLog({ file, onDropped }: AccessLogOptions): AccessLog {
  const destination = pino.destination({
    dest: file === "" ? 1 : file,
    sync: false,
    minLength: BATCH_BYTES,
    maxLength: MAX_WAITING_BYTES,
  });
  destination.on("drop", onDropped);
  // A full disk must not end the process; what could not be written stays waiting until it is dropped.
  destination.on("error", onDropped);
  const timer = setInterval(() => destination.flush(), FLUSH_MS).unref();
  return {
    write: (facts, outcome) => {
      destination.write(formatAccessLine(facts, outcome, Date.now()));
    },
    close: async () => {
      clearInterval(timer);
      const { promise, resolve } = Promise.withResolvers<void>();
      destination.once("close", resolve);
      destination.once("error", resolve);
      destination.end();
      await promise;
    },
  };
}

/** Texts come from names, addresses and codes; `JSON.stringify` escapes whatever else got into them. */
function formatAccessLine(facts: ConnectionFacts, outcome: ConnectionOutcome, now: number): string {
  const { source, destination } = facts;
  const line = JSON.stringify({
    level: "info",
    time: new Date(now).toISOString(),
    direction: facts.direction,
    source: facts.sourceAddress,
    sourceWorkload: nameOf(source),
    sourceIdentity: source.identity,
    destination: facts.destinationAddress,
    destinationWorkload: nameOf(destination),
    destinationIdentity: destination.identity,
    service: facts.service,
    upstream: facts.upstreamAddress,
    tunnelled: facts.tunnelled,
    code: outcome.code,
    policy: outcome.policy,
    rule: outcome.rule,
    ...(facts.watched && watchedFields(facts.watched)),
    bytesSent: outcome.bytesSent,
    bytesReceived: outcome.bytesReceived,
    durationMs: now - facts.sinceMs,
    msg: "connection",
  });
  return `${line}\n`;
}

/** AUDIT policies that match, and apart from them what the dry run would have decided, and by which rules. */
function watchedFields({ matches, dryRun }: Watched): object {
  const audited = matches.filter((match) => !match.dryRun);
  const dry = matches.filter((match) => match.dryRun);
  return {
    audited: audited.length === 0 ? undefined : audited.map(ruleOf),
    dryRun,
    dryRunMatches: dry.length === 0 ? undefined : dry.map(ruleOf),
  };
}

function ruleOf({ policy, rule, action }: Watched["matches"][number]): object {
  return { policy, rule, action };
}

function nameOf({
  namespace,
  name,
}: {
  readonly namespace: string;
  readonly name: string;
}): string {
  return name === "" ? "" : `${namespace}/${name}`;
}
