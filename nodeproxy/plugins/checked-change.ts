/**
 * Is what a plugin returned something that may be sent? Whatever is not is a fault of the plugin, told in words, and
 * nothing of it is used. Pure.
 */
import { FRAMING_FIELDS } from "../../core/model/framing-fields.ts";
import { compileHeaderChange } from "../http/filter/modify-fields.ts";
import type { FieldLines, RequestHead } from "../http/message.ts";

export type CheckedRequest =
  | { readonly kind: "request"; readonly head: RequestHead }
  | {
      readonly kind: "answer";
      readonly status: number;
      readonly fields: FieldLines;
      readonly body: string;
    }
  | Fault;

interface Fault {
  readonly kind: "fault";
  readonly message: string;
}

type Pairs = readonly (readonly [name: string, value: string])[];
type Entries = Readonly<Record<string, unknown>>;

/** RFC 9110 5.6.2. */
const NAME = /^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,256}$/;
/** RFC 9110 5.5, of which octets above ASCII are left out: what they mean is nobody's to say. */
const VALUE = /^(?:[\x21-\x7e](?:[\t\x20-\x7e]*[\x21-\x7e])?)?$/;
/** RFC 3986 3.3 and 3.4; no fragment. */
const PATH = /^\/[\x21\x24-\x3b\x3d\x3f-\x5a\x5f\x61-\x7a\x7e]*$/;
const AUTHORITY = /^(?:[A-Za-z0-9._~-]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?$/;
const MAX_FIELDS = 64;
const MAX_VALUE = 8_192;
const MAX_PATH = 8_192;
const MAX_BODY = 64 << 10;
/** Without content. */
const NO_ANSWERS = new Set([204, 205, 304]);

class NotSendable extends Error {}

export function checkedRequest(head: RequestHead, value: unknown): CheckedRequest {
  try {
    return read(head, value);
  } catch (error) {
    if (error instanceof NotSendable) return { kind: "fault", message: error.message };
    throw error;
  }
}

function read(head: RequestHead, value: unknown): CheckedRequest {
  if (value === undefined || value === null) return { kind: "request", head };
  const change = members(value, "the change", ["fields", "path", "authority", "answer"]);
  const { answer } = change;
  if (answer === undefined) return { kind: "request", head: changedRequest(head, change) };
  if (Object.keys(change).length > 1) throw new NotSendable("answer stands alone");
  return readAnswer(members(answer, "answer", ["status", "fields", "body"]));
}

function changedRequest(head: RequestHead, { fields, path, authority }: Entries): RequestHead {
  const [to, query] = path === undefined ? [head.path, head.query] : readPath(path);
  if (authority !== undefined && !(typeof authority === "string" && AUTHORITY.test(authority))) {
    throw new NotSendable("authority is no host");
  }
  return {
    ...head,
    path: to,
    query,
    authority: authority ?? head.authority,
    fields: changed(head.fields, fields),
  };
}

function readPath(path: unknown): readonly [path: string, query: string] {
  if (typeof path !== "string" || path.length > MAX_PATH || !PATH.test(path)) {
    throw new NotSendable("path is none that can be sent");
  }
  const at = path.indexOf("?");
  return at < 0 ? [path, ""] : [path.slice(0, at), path.slice(at)];
}

function readAnswer({ status, fields, body = "" }: Entries): CheckedRequest {
  const isStatus = typeof status === "number" && Number.isInteger(status);
  if (!isStatus || status < 200 || status > 599 || NO_ANSWERS.has(status)) {
    throw new NotSendable("answer.status must be from 200 to 599, and one with content");
  }
  if (typeof body !== "string" || Buffer.byteLength(body) > MAX_BODY) {
    throw new NotSendable(`answer.body must be a text of at most ${MAX_BODY} octets`);
  }
  return { kind: "answer", status, fields: pairs(fields, "answer.fields").flat(), body };
}

function changed(lines: FieldLines, fields: unknown): FieldLines {
  if (fields === undefined) return lines;
  const { set, add, remove = [] } = members(fields, "fields", ["set", "add", "remove"]);
  if (!Array.isArray(remove) || remove.length > MAX_FIELDS) {
    throw new NotSendable("fields.remove must be a list of names");
  }
  return compileHeaderChange({
    kind: "requestHeaders",
    set: pairs(set, "fields.set"),
    add: pairs(add, "fields.add"),
    remove: remove.map((name: unknown) => readName(name, "fields.remove")),
  })(lines);
}

function pairs(value: unknown, place: string): Pairs {
  if (value === undefined) return [];
  const entries = Object.entries(members(value, place));
  if (entries.length > MAX_FIELDS) throw new NotSendable(`${place} has more than ${MAX_FIELDS}`);
  return entries.map(([name, text]) => {
    const isValue = typeof text === "string" && text.length <= MAX_VALUE && VALUE.test(text);
    if (!isValue)
      throw new NotSendable(`${place}: the value of ${name.slice(0, 64)} cannot be sent`);
    return [readName(name, place), text];
  });
}

/** No field of the connection, none that frames the message, and none of Weft's own. */
function readName(value: unknown, place: string): string {
  const name = typeof value === "string" ? value.toLowerCase() : "";
  const isTaken =
    FRAMING_FIELDS.has(name) || name.startsWith("x-weft-") || name === "http2-settings";
  if (!NAME.test(name) || isTaken) {
    throw new NotSendable(`${place}: ${name.slice(0, 64) || "a name"} may not be changed`);
  }
  return name;
}

function members(value: unknown, place: string, known?: readonly string[]): Entries {
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new NotSendable(`${place} must be an object`);
  }
  const stranger = known && Object.keys(value).find((name) => !known.includes(name));
  if (stranger !== undefined) throw new NotSendable(`${place} has no ${stranger.slice(0, 64)}`);
  return value as Entries;
}
