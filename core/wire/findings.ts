/**
 * What a decoder found wrong with one message: it reads on to the end, so that a refusal names
 * everything at once. The value it made is used only if nothing was found.
 */
import { canonicalIp } from "../model/ip.ts";
import { isSpiffeId } from "../model/spiffe-id.ts";
import { type EnumTable, enumKeyOf, enumKeys } from "./enum-table.ts";

/** A refusal stays readable and small, however much is wrong. */
const MAX_REASONS = 10;
// Names of Kubernetes objects, UIDs and trust domains; without spaces, as `resourceKey` needs it.
const NAME = /^[\x21-\x7e]{1,512}$/;
const MAX_TEXT_LENGTH = 4096;

export class Findings {
  readonly #reasons: string[] = [];

  get reasons(): readonly string[] {
    return this.#reasons;
  }

  add(reason: string): void {
    if (this.#reasons.length < MAX_REASONS) this.#reasons.push(reason);
  }

  name(field: string, value: string): string {
    if (!NAME.test(value)) this.add(`${field}: not a name`);
    return value;
  }

  /** A name, or "" for none. */
  optionalName(field: string, value: string): string {
    return value === "" ? "" : this.name(field, value);
  }

  text(field: string, value: string): string {
    if (value.length > MAX_TEXT_LENGTH) this.add(`${field}: longer than ${MAX_TEXT_LENGTH}`);
    return value;
  }

  json(field: string, value: string): string {
    try {
      JSON.parse(value);
    } catch {
      this.add(`${field}: is no JSON`);
    }
    return this.text(field, value);
  }

  integer(field: string, value: number, range: readonly [min: number, max: number]): number {
    if (value < range[0] || value > range[1]) {
      this.add(`${field}: ${value} is not in ${range[0]}..${range[1]}`);
    }
    return value;
  }

  port(field: string, value: number): number {
    return this.integer(field, value, [1, 65_535]);
  }

  /** The canonical text of an address. */
  ip(field: string, value: string): string {
    const canonical = canonicalIp(value);
    if (canonical === undefined) this.add(`${field}: not an IP address`);
    return canonical ?? "";
  }

  ips(field: string, values: readonly string[]): readonly string[] {
    return values.map((value) => this.ip(field, value));
  }

  trustDomain(field: string, value: string): string {
    if (!isSpiffeId({ trustDomain: value, namespace: "a", serviceAccount: "a" })) {
      this.add(`${field}: not a trust domain`);
    }
    return value;
  }

  /** The member of the union; any member where it is none, as a finding then keeps it from use. */
  member<T extends string>(field: string, table: EnumTable<T>, value: number): T {
    const key = enumKeyOf(table, value);
    if (key !== undefined) return key;
    this.add(`${field}: ${value} is not known`);
    return enumKeys(table)[0] as T;
  }
}
