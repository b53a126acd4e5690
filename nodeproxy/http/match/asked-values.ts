/**
 * The headers and query parameters that the rules of one table ask for, of the request at hand, each looked up once
 * and only when a rule gets as far as to ask.
 */
import type { RequestHead } from "../message.ts";
import { queryValue } from "./query-value.ts";

interface Name {
  readonly isQuery: boolean;
  readonly name: string;
}

export class AskedValues {
  readonly #slots = new Map<string, number>();
  readonly #names: Name[] = [];
  /** `null`: not looked up yet; `undefined`: not there. */
  readonly #values: (string | null | undefined)[] = [];
  #head: RequestHead | undefined;

  /** Where the value will be found. */
  slotOf(isQuery: boolean, name: string): number {
    const key = `${isQuery ? "?" : ":"}${name}`;
    const slot = this.#slots.get(key) ?? this.#names.push({ isQuery, name }) - 1;
    this.#slots.set(key, slot);
    this.#values[slot] = null;
    return slot;
  }

  read(head: RequestHead): void {
    this.#head = head;
    this.#values.fill(null);
  }

  at(slot: number): string | undefined {
    const known = this.#values[slot];
    if (known !== null) return known;
    const value = this.#find(this.#names[slot]);
    this.#values[slot] = value;
    return value;
  }

  #find(asked: Name | undefined): string | undefined {
    if (!this.#head || !asked) return undefined;
    const { isQuery, name } = asked;
    return isQuery ? queryValue(this.#head.query, name) : headerValue(this.#head, name);
  }
}

/** RFC 9110 5.3: lines of one name are one list "in order, separated by a comma"; RFC 9113 8.2.3: crumbs of a cookie by "; ". */
function headerValue({ authority, fields }: RequestHead, name: string): string | undefined {
  if (name === "host") return authority;
  let value: string | undefined;
  for (let i = 0; i + 1 < fields.length; i += 2) {
    if (fields[i] !== name) continue;
    const line = fields[i + 1] ?? "";
    value = value === undefined ? line : `${value}${name === "cookie" ? "; " : ","}${line}`;
  }
  return value;
}
