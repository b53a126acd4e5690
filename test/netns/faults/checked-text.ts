/**
 * Question and answer of the fault stories, of which every octet is known to both ends: whatever a fault changes,
 * drops, doubles or takes from another connection is seen.
 *
 * A line is cut short by a fault: that is told by the connection's end and is no corruption.
 */
import { createHash, randomBytes } from "node:crypto";
import { SECRET } from "./load-messages.ts";

/** Of hexadecimal digits that follow from the nonce, more than one TLS record carries of the answer. */
const QUESTION_DIGITS = 2_000;
const ANSWER_DIGITS = 20_000;

export function newNonce(): string {
  return randomBytes(8).toString("hex");
}

export function questionOf(nonce: string): string {
  return `${SECRET} ${nonce} ${digits(`question ${nonce}`, QUESTION_DIGITS)}\n`;
}

/** What a server of that name says to a line, with its end; to one that nobody can have asked: `corrupt`. */
export function answerTo(line: string, name: string): string {
  const [, nonce = ""] = line.split(" ");
  return line === questionOf(nonce) ? answerOf(nonce, name) : "corrupt\n";
}

/** The name in the answer; throws `CorruptError` as soon as what has come cannot become an answer to that question. */
export function nameIn(text: string, nonce: string): string | undefined {
  const name = text.split(" ", 1)[0] ?? "";
  const expected = answerOf(nonce, name);
  if (text === expected) return name;
  if (text.includes(" ") ? !expected.startsWith(text) : text.includes("\n")) {
    throw new CorruptError(`${text.length} octets that are no answer to ${nonce}`);
  }
  return undefined;
}

export class CorruptError extends Error {
  override name = "CorruptError";
}

function answerOf(nonce: string, name: string): string {
  return `${name} ${nonce} ${digits(`answer ${nonce}`, ANSWER_DIGITS)}\n`;
}

function digits(seed: string, count: number): string {
  return createHash("shake256", { outputLength: count / 2 })
    .update(seed)
    .digest("hex");
}
