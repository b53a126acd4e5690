/**
 * One JSON line for each connection, at its end, and for each request that is judged, in the form of pino.
 *
 * Written by hand on pino's own destination: thousands of lines a second must not cost the connections
 * they tell of. Written in batches; a disk that does not keep up loses lines, counted, never memory.
 */
import { pino } from "pino";
import type {
  ConnectionFacts,
  ConnectionOutcome,
  RequestLine,
  Watched,
} from "../flow/connection-facts.ts";

/** Each write(2) goes through libuv's pool, which costs as much as formatting dozens of lines. */
const BATCH_BYTES = 65_536;
/** Written at once at most. The destination demands that it is more than a batch. */
const MAX_WRITE_BYTES = 2 * BATCH_BYTES;
const FLUSH_MS = 200;
const MAX_WAITING_BYTES = 16 << 20;

export interface AccessLog {
  write(facts: ConnectionFacts, outcome: ConnectionOutcome): void;
  /** Resolves once what waited is written and the file closed. */
  close(): Promise<void>;
}

export interface AccessLogOptions {
  /** Path to append to; "" is standard output. */
  readonly file: string;
  /** For each line. */
  readonly onDropped: () => void;
}

/** Where the lines go. */
export interface AccessFile {
  /** Whole lines. */
  write(text: string): void;
  /** Resolves once what waited is written and the file closed. */
  close(): Promise<void>;
}

export function createAccessLog(options: AccessLogOptions): AccessLog {
  const file = openAccessFile(options);
  return {
    write: (facts, outcome) => file.write(formatAccessLine(facts, outcome, Date.now())),
    close: () => file.close(),
  };
}

export function openAccessFile({ file, onDropped }: AccessLogOptions): AccessFile {
  const destination = pino.destination({
    dest: file === "" ? 1 : file,
    sync: false,
    minLength: BATCH_BYTES,
    maxWrite: MAX_WRITE_BYTES,
    maxLength: MAX_WAITING_BYTES,
    // Of texts it would measure, and thereby copy, all that waits with each line.
    contentMode: "buffer",
  });
  destination.on("drop", (lines: Buffer) => {
    for (let at = lines.indexOf("\n"); at >= 0; at = lines.indexOf("\n", at + 1)) onDropped();
  });
  // A full disk must not end the process; what could not be written stays waiting until it is dropped.
  destination.on("error", onDropped);
  const timer = setInterval(() => destination.flush(), FLUSH_MS).unref();
  return {
    write: (text) => {
      // Its types know texts only.
      destination.write(Buffer.from(text) as unknown as string);
    },
    close: async () => {
      clearInterval(timer);
      return new Promise((resolve) => {
        destination.once("close", resolve);
        // A disk that takes nothing must not hold up the end of the process.
        destination.once("error", resolve);
        destination.end();
      });
    },
  };
}

/** With its line feed. `now`: milliseconds since the epoch, when the connection ended. */
export function formatAccessLine(
  facts: ConnectionFacts,
  outcome: ConnectionOutcome,
  now: number,
): string {
  const { source, destination, request } = facts;
  const { policy, rule, denial } = outcome;
  const decided = `${policy === undefined ? "" : `,"policy":${quoted(policy)}`}${rule === undefined ? "" : `,"rule":${rule}`}${denial === undefined ? "" : `,"denial":"${denial}"`}`;
  return `{"level":"info","time":"${timeText(now)}","direction":"${facts.direction}","source":${quoted(facts.sourceAddress)},"sourceWorkload":${quoted(nameOf(source))},"sourceIdentity":${quoted(source.identity)},"destination":${quoted(facts.destinationAddress)},"destinationWorkload":${quoted(nameOf(destination))},"destinationIdentity":${quoted(destination.identity)},"service":${quoted(facts.service)},"upstream":${quoted(facts.upstreamAddress)},"tunnelled":${facts.tunnelled},"code":${quoted(outcome.code)}${requestText(request)}${decided}${watchedText(facts.watched)}${askedText(facts.asked)},"bytesSent":${outcome.bytesSent},"bytesReceived":${outcome.bytesReceived},"durationMs":${now - facts.sinceMs},"msg":"${request ? "request" : "connection"}"}\n`;
}

function requestText(request: RequestLine | undefined): string {
  if (!request) return "";
  const { method, path, host, status, route, routeRule = "", isMirror, trace } = request;
  const routed =
    route === undefined ? "" : `,"route":${quoted(route)},"routeRule":${quoted(routeRule)}`;
  return `,"method":${quoted(method)},"path":${quoted(path)},"host":${quoted(host)},"status":${status}${routed}${isMirror ? ',"mirror":true' : ""}${trace ? `,"trace":"${trace.traceId}"` : ""}`;
}

/** What needs no escape in JSON: printable ASCII but the quote and the backslash. */
const PLAIN = /^[ !#-[\]-~]*$/;

/** Texts are names, addresses and codes; whatever else got into them is escaped. */
function quoted(text: string): string {
  return PLAIN.test(text) ? `"${text}"` : JSON.stringify(text);
}

let lastTimeMs = 0;
let lastTimeText = "";

/** Many lines share a millisecond. */
function timeText(now: number): string {
  if (now !== lastTimeMs) {
    lastTimeMs = now;
    lastTimeText = new Date(now).toISOString();
  }
  return lastTimeText;
}

function watchedText(watched: Watched | undefined): string {
  const fields = watched ? JSON.stringify(watchedFields(watched)).slice(1, -1) : "";
  return fields === "" ? "" : `,${fields}`;
}

function askedText(asked: ConnectionFacts["asked"]): string {
  return asked && asked.length > 0 ? `,"asked":${JSON.stringify(asked)}` : "";
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
