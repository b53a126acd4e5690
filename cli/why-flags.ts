/** The flags of `why`, and what is wrong with them: what is asked, of whom, and as what kind of call. */
import { readFileSync } from "node:fs";

/** Of `why` and `authz list`. */
export interface WhyFlags {
  /** `file:DIR`: computed from the files there; "" for the nodes of the cluster. */
  readonly directory: string;
  readonly from: string;
  readonly to: string;
  /** Of a denial, from the access log; "" where a call is imagined. */
  readonly denial: string;
  /** `authz list`: `NAMESPACE/NAME`. */
  readonly pod: string;
  readonly plaintext: boolean;
  readonly http: boolean;
  /** That the call's TLS names. */
  readonly sni: string | undefined;
  readonly method: string | undefined;
  readonly path: string | undefined;
  readonly host: string | undefined;
  /** Names in lower case. */
  readonly headers: readonly (readonly [string, string])[];
  /** Of the token of `--jwt`; the token itself goes nowhere. */
  readonly claims: Readonly<Record<string, unknown>> | undefined;
}

export interface GivenWhyFlags {
  readonly source?: string;
  readonly from?: string;
  readonly to?: string;
  readonly plaintext?: boolean;
  readonly http?: boolean;
  readonly sni?: string;
  readonly method?: string;
  readonly path?: string;
  readonly host?: string;
  readonly header?: readonly string[];
  readonly jwt?: string;
}

export interface WhyCall {
  readonly name: string | undefined;
  readonly given: GivenWhyFlags;
  /** What stands after the command. */
  readonly words: readonly string[];
}

const CALL_FLAGS = [
  "from",
  "to",
  "plaintext",
  "http",
  "sni",
  "method",
  "path",
  "host",
  "header",
  "jwt",
] as const;

export function readWhyFlags(call: WhyCall, reasons: string[]): WhyFlags {
  const { from = "", to = "", plaintext = false, http = false, ...given } = call.given;
  const words = readWords(call, reasons);
  refuseMisplaced(call, words.denial, reasons);
  if (call.name === "why" && words.denial === "" && (from === "" || to === "")) {
    reasons.push("why: say --from and --to, or the id of a denial");
  }
  return {
    ...words,
    directory: readDirectory(given.source, reasons),
    from,
    to,
    plaintext,
    http,
    sni: given.sni,
    method: given.method,
    path: given.path,
    host: given.host,
    headers: (given.header ?? []).flatMap((text) => readHeader(text, reasons)),
    claims: given.jwt === undefined ? undefined : readClaims(given.jwt, reasons),
  };
}

/** The one word that either command may take. */
function readWords({ name, words }: WhyCall, reasons: string[]): Pick<WhyFlags, "denial" | "pod"> {
  if (name !== "why" && name !== "authz list") return { denial: "", pod: "" };
  const [word = "", ...more] = words;
  for (const each of more) reasons.push(`${each}: not expected`);
  if (name === "why") return { denial: word, pod: "" };
  if (!/^[^/]+\/[^/]+$/.test(word)) reasons.push("authz list: say which pod, NAMESPACE/NAME");
  return { denial: "", pod: word };
}

function refuseMisplaced({ name, given }: WhyCall, denial: string, reasons: string[]): void {
  const isCall = name === "why" && denial === "";
  for (const flag of CALL_FLAGS) {
    const isGiven = given[flag] !== undefined;
    if (isGiven && !isCall) {
      reasons.push(`--${flag}: only of why${name === "why" ? " without an id" : ""}`);
    }
  }
  if (given.source === undefined) return;
  if (name !== "why" && name !== "authz list") reasons.push("--source: only of why and authz list");
  if (denial !== "") reasons.push("--source: a denial is known to its node alone");
}

function readDirectory(source: string | undefined, reasons: string[]): string {
  if (source === undefined) return "";
  const directory = source.startsWith("file:") ? source.slice("file:".length) : "";
  if (directory === "") reasons.push(`--source: ${source} is not file:DIR`);
  return directory;
}

/** `name=value` as in the call, `name: value` as in HTTP. */
function readHeader(text: string, reasons: string[]): readonly (readonly [string, string])[] {
  const [, name, value = ""] = /^([!#$%&'*+.^_`|~0-9A-Za-z-]+)\s*[=:]\s*(.*)$/s.exec(text) ?? [];
  if (name !== undefined) return [[name.toLowerCase(), value.trim()]];
  reasons.push(`--header: ${text} is not NAME=VALUE`);
  return [];
}

/** A token, or `@FILE` with one in it. Nothing is verified: it is taken for good. */
function readClaims(text: string, reasons: string[]): WhyFlags["claims"] {
  try {
    const token = text.startsWith("@") ? readFileSync(text.slice(1), "utf8").trim() : text;
    const claims: unknown = JSON.parse(
      Buffer.from(token.split(".")[1] ?? "", "base64url").toString("utf8"),
    );
    if (typeof claims === "object" && claims !== null && !Array.isArray(claims)) {
      return { ...claims };
    }
  } catch {
    // Said below, without the token.
  }
  reasons.push("--jwt: neither a token nor @FILE with one");
  return undefined;
}
