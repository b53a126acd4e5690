/** What RequestAuthentications say of the tokens of a pod's requests, for people. */
import type {
  JudgedAuthentication,
  JudgedOutcome,
  Judgement,
  TokenDenial,
} from "../../nodeproxy/why/why-answer.ts";

type Denied = Extract<JudgedOutcome, { readonly kind: "deny" }>["reason"];

const DENIALS: Readonly<Record<TokenDenial, string>> = {
  issuer_unknown: "no RequestAuthentication takes tokens of its issuer",
  authentication_missing: "a RequestAuthentication has not arrived at the node",
  authentication_unreadable: "a RequestAuthentication cannot be read",
};

/** None where none applies and no token is asked about. */
export function tokenLines({
  requestAuthentications = [],
  readAs,
  token,
}: Judgement): readonly string[] {
  const lines = requestAuthentications.map((each) => authenticationText(each));
  if (lines.length > 0 && readAs !== "http") lines.push("none can be seen on this port");
  if (token === "not_looked_at") {
    lines.push("nobody looks for one here, so policies do not see its claims");
  }
  return lines.map((line) => `  tokens: ${line}`);
}

export function isTokenDenial(reason: Denied): reason is TokenDenial {
  return Object.hasOwn(DENIALS, reason);
}

export function tokenDenialText(reason: TokenDenial): string {
  return `${DENIALS[reason]}, so it is answered 401`;
}

function authenticationText({ policy, state, issuers }: JudgedAuthentication): string {
  const name = `RequestAuthentication ${policy}`;
  if (state === "missing") return `${name} has not arrived at the node: requests are refused`;
  if (state === "unreadable") return `${name} cannot be read: requests are refused`;
  if (issuers.length === 0) return `${name} takes none and refuses none`;
  const texts = issuers.map(({ issuer, places }) => `${issuer} (${places.join(", ")})`);
  return `${name} takes those of ${texts.join("; ")}`;
}
