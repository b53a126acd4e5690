/**
 * What binds a request to an endpoint: its session, or the value that its Service's policy hashes; and what its answer
 * says, so that the client's next request is bound too. Which endpoint that is the balancer decides.
 */
import { randomBytes } from "node:crypto";
import type { RouteSession } from "../../core/model/http-route.ts";
import type { HashOn } from "../../core/model/http-settings.ts";
import { DEFAULT_TRAFFIC_SETTINGS } from "../../core/model/traffic-settings.ts";
import type { Balancer, CallingRequest } from "../balance/balancer.ts";
import type { Member } from "../balance/member.ts";
import { cookieValue } from "../http/cookie-value.ts";
import { fieldOf } from "../http/http2-head.ts";
import { queryValue } from "../http/match/query-value.ts";
import type { FieldLines, RequestHead } from "../http/message.ts";
import type { MeshView } from "./choose-upstream.ts";
import type { RoutedRequest } from "./route-request.ts";
import { memberOfSession, sessionEndpoint } from "./session-endpoints.ts";
import { parseSessionToken, type SessionToken, writeSessionToken } from "./session-token.ts";

/** `undefined` where nothing binds it. `head`: as the caller sent it. */
export function bindingOf(
  view: Pick<MeshView, "trafficOf">,
  head: RequestHead,
  { call, rule }: Pick<RoutedRequest, "call" | "rule">,
): RequestBinding | undefined {
  const { http } = view.trafficOf(call.service)?.settings ?? DEFAULT_TRAFFIC_SETTINGS;
  const session = rule?.session ?? http.session;
  const { hashOn } = http;
  if (!session && hashOn.kind === "source") return undefined;
  return new RequestBinding(head, { hashOn, session, port: call.port }, Date.now());
}

interface BindingRules {
  readonly hashOn: HashOn;
  readonly session: RouteSession | undefined;
  /** Of the Service. */
  readonly port: number;
}

const NO_FIELDS: FieldLines = [];

/** The session that a request says it has; nothing where its time is over. */
export function sessionTokenOf(
  { fields }: RequestHead,
  session: RouteSession,
  nowMs: number,
): SessionToken | undefined {
  const { kind, name } = session;
  const text = kind === "cookie" ? cookieValue(fields, name) : fieldOf(fields, name.toLowerCase());
  const token = text === undefined ? undefined : parseSessionToken(text);
  return token && isInTime(token, session, nowMs) ? token : undefined;
}

function isInTime(
  { beganSeconds, usedSeconds }: SessionToken,
  { absoluteTimeoutMs, idleTimeoutMs }: RouteSession,
  nowMs: number,
): boolean {
  const isOld = absoluteTimeoutMs > 0 && nowMs >= beganSeconds * 1_000 + absoluteTimeoutMs;
  return !isOld && (idleTimeoutMs === 0 || nowMs < usedSeconds * 1_000 + idleTimeoutMs);
}

export class RequestBinding {
  readonly #rules: BindingRules;
  /** By the wall clock, as sessions are. */
  readonly #nowMs: number;
  readonly #token: SessionToken | undefined;
  readonly #hashed: string;
  /** A cookie to hash that the client does not have yet. */
  readonly #isMade: boolean;

  constructor(head: RequestHead, rules: BindingRules, nowMs: number) {
    const { hashOn, session } = rules;
    this.#rules = rules;
    this.#nowMs = nowMs;
    this.#token = session && sessionTokenOf(head, session, nowMs);
    const hashed = hashedOf(head, hashOn);
    this.#isMade = hashed === "" && hashOn.kind === "cookie";
    this.#hashed = this.#isMade ? randomBytes(16).toString("hex") : hashed;
  }

  /** To an endpoint that its client has been at before. */
  get isBound(): boolean {
    return this.#token !== undefined;
  }

  callingAt(balancer: Balancer): CallingRequest {
    const bound = this.#token && memberOfSession(balancer, this.#rules.port, this.#token);
    return { hashed: this.#hashed, bound: bound?.key ?? "" };
  }

  /** To be added to the answer that comes from there. */
  fieldsFrom(balancer: Balancer, member: Member): FieldLines {
    const made = this.#isMade && balancer.isHashing ? this.#madeCookie() : NO_FIELDS;
    const { session } = this.#rules;
    return session ? [...made, ...this.#sessionFields(session, { balancer, member })] : made;
  }

  #madeCookie(): FieldLines {
    const { hashOn } = this.#rules;
    if (hashOn.kind !== "cookie") return NO_FIELDS;
    const { name, path, ttlMs } = hashOn;
    return setCookie(`${name}=${this.#hashed}`, { path, forMs: ttlMs });
  }

  #sessionFields(
    session: RouteSession,
    { balancer, member }: { readonly balancer: Balancer; readonly member: Member },
  ): FieldLines {
    const { kind, name, absoluteTimeoutMs, idleTimeoutMs, isPermanent } = session;
    const isKept = this.callingAt(balancer).bound === member.key;
    if (isKept && idleTimeoutMs === 0) return NO_FIELDS;
    const nowSeconds = Math.floor(this.#nowMs / 1_000);
    const beganSeconds = isKept && this.#token ? this.#token.beganSeconds : nowSeconds;
    const endpoint = sessionEndpoint(balancer, this.#rules.port, member);
    const token = writeSessionToken(endpoint, { beganSeconds, usedSeconds: nowSeconds });
    if (kind === "header") return [name.toLowerCase(), token];
    const forMs = isPermanent ? beganSeconds * 1_000 + absoluteTimeoutMs - this.#nowMs : 0;
    return setCookie(`${name}=${token}`, { path: "/", forMs });
  }
}

/** "": it is not there, and the source stands in for it. */
function hashedOf(head: RequestHead, hashOn: HashOn): string {
  switch (hashOn.kind) {
    case "source":
      return "";
    case "header":
      if (hashOn.name === "host") return head.authority;
      return fieldOf(head.fields, hashOn.name) ?? "";
    case "query":
      return queryValue(head.query, hashOn.name) ?? "";
    case "cookie":
      return cookieValue(head.fields, hashOn.name) ?? "";
  }
}

/** RFC 6265 4.1. `forMs` 0: until the browser ends. No script needs to read it. */
function setCookie(
  pair: string,
  { path, forMs }: { readonly path: string; readonly forMs: number },
): FieldLines {
  const where = path === "" ? "" : `; Path=${path}`;
  const until = forMs > 0 ? `; Max-Age=${Math.ceil(forMs / 1_000)}` : "";
  return ["set-cookie", `${pair}${where}${until}; HttpOnly`];
}
