/**
 * Asks one authorizer over HTTP: the request itself without its body, its path behind the prefix; 200 permits. One
 * connection for each question.
 */
import { once } from "node:events";
import { type IncomingMessage, request as requestHttp } from "node:http";
import type { StringMatch } from "../../core/model/authorization-policy.ts";
import type { HttpAuthorizer } from "../../core/model/authorization-provider.ts";
import { AskError } from "../ask/ask-error.ts";
import { isWritable } from "../ask/writable-field.ts";
import { matchesText } from "../authz/match-text.ts";
import type { Side } from "../flow/side.ts";
import type { FieldLines, RequestHead } from "../http/message.ts";
import { duplexOf } from "../http/side-duplex.ts";
import { deniedStatus, type Said } from "./check-message.ts";

export interface HttpQuestion {
  readonly head: RequestHead;
  readonly protocol: HttpAuthorizer;
  /** Rejects where no endpoint can be reached. */
  readonly open: () => Promise<Side>;
}

/** Denials carry a body for the caller. */
const MAX_BODY_BYTES = 65_536;
const MAX_HEADER_BYTES = 65_536;

/** Rejects with `AskError`. */
export async function checkOverHttp(question: HttpQuestion, signal: AbortSignal): Promise<Said> {
  try {
    const { response, body } = await ask(question, signal);
    return saidBy(question.protocol, response, body);
  } catch (error) {
    if (error instanceof AskError) throw error;
    throw new AskError(signal.aborted ? "timeout" : "unreachable", { cause: error });
  }
}

interface Answered {
  readonly response: IncomingMessage;
  readonly body: string;
}

async function ask({ head, protocol, open }: HttpQuestion, signal: AbortSignal): Promise<Answered> {
  const late = once(signal, "abort").then((): never => {
    throw new AskError("timeout");
  });
  // Whichever of the two comes second has no listener.
  late.catch(ignore);
  const opening = open();
  opening.then((side) => {
    if (signal.aborted) duplexOf(side, { endsAtOnce: true }).on("error", ignore).destroy();
  }, ignore);
  const stream = duplexOf(await Promise.race([opening, late]), { endsAtOnce: true });
  const asking = requestHttp({
    method: head.method === "CONNECT" ? "GET" : head.method,
    path: `${protocol.pathPrefix}${head.path}${head.query}`,
    headers: sentFields(head, protocol) as string[],
    setHost: false,
    maxHeaderSize: MAX_HEADER_BYTES,
    signal,
    createConnection: () => stream,
  });
  stream.on("error", ignore);
  const answered = once(asking, "response") as Promise<[IncomingMessage]>;
  asking.on("error", ignore).end();
  try {
    const [response] = await Promise.race([answered, late]);
    return { response, body: await bodyOf(response) };
  } finally {
    stream.destroy();
  }
}

async function bodyOf(response: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    length += chunk.length;
    if (length > MAX_BODY_BYTES) throw new AskError("failed");
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString("utf8");
}

/** Istio, envoyExtAuthzHttp: "Host, Method, Path, Content-Length and Authorization are automatically sent". */
function sentFields({ authority, fields }: RequestHead, protocol: HttpAuthorizer): FieldLines {
  const { requestHeaders, additionalHeaders } = protocol;
  const added = new Set(additionalHeaders.map(({ name }) => name));
  const sent = keep(fields, (name) => {
    if (added.has(name)) return false;
    return name === "authorization" || matchesAny(requestHeaders, name);
  });
  return [
    "host",
    authority,
    "content-length",
    "0",
    "connection",
    "close",
    ...sent,
    ...additionalHeaders.flatMap(({ name, value }) => [name, value]),
  ];
}

function saidBy(protocol: HttpAuthorizer, response: IncomingMessage, body: string): Said {
  const { statusCode = 0, rawHeaders } = response;
  // As Envoy: an authorizer that fails has said nothing.
  if (statusCode >= 500 || statusCode < 200) throw new AskError("failed");
  const fields = rawHeaders.map((text, i) => (i % 2 === 0 ? text.toLowerCase() : text));
  if (statusCode === 200) {
    const kept = keep(fields, (name) => matchesAny(protocol.upstreamHeadersOnAllow, name));
    const set = kept.flatMap((name, i) =>
      i % 2 === 0 ? [[name, kept[i + 1] ?? ""] as const] : [],
    );
    return { answer: "permit", changes: { remove: [], set, append: [] } };
  }
  const { downstreamHeadersOnDeny: named } = protocol;
  const told = keep(fields, (name) => named.length === 0 || matchesAny(named, name));
  return { answer: "deny", denial: { status: deniedStatus(statusCode), body, fields: told } };
}

function matchesAny(forms: readonly StringMatch[], name: string): boolean {
  return forms.some((form) => matchesText(form, name));
}

function keep(fields: FieldLines, isKept: (name: string) => boolean): FieldLines {
  return fields.flatMap((name, i) => {
    const value = fields[i + 1] ?? "";
    return i % 2 === 0 && isWritable(name, value) && isKept(name) ? [name, value] : [];
  });
}

function ignore(): void {}
