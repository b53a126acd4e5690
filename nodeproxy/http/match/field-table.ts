/** The headers of one request by name, as policies and tokens ask for them: names that servers confuse are one. Pure. */
import type { HeaderLines } from "../../authz/attempt.ts";
import type { RequestHead } from "../message.ts";
import { foldName } from "./field-name.ts";

export class FieldTable implements HeaderLines {
  readonly #lines = new Map<string, string[]>();

  constructor({
    fields,
    authority,
    version,
  }: Pick<RequestHead, "fields" | "authority" | "version">) {
    for (let i = 0; i + 1 < fields.length; i += 2) {
      const name = foldName(fields[i] ?? "");
      const value = fields[i + 1] ?? "";
      const lines = this.#lines.get(name);
      if (lines) lines.push(value);
      else this.#lines.set(name, [value]);
    }
    if (authority !== "") this.#lines.set("host", [authority]);
    const crumbs = version === "2" ? this.#lines.get("cookie") : undefined;
    // RFC 9113 8.2.3: "these MUST be concatenated into a single octet string using the two-octet delimiter '; '".
    if (crumbs && crumbs.length > 1) this.#lines.set("cookie", [crumbs.join("; ")]);
  }

  get(name: string): readonly string[] | undefined {
    return this.#lines.get(foldName(name));
  }
}
