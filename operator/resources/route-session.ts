/** Reads `sessionPersistence` of a rule, as Gateway API 1.7 writes it and as 1.4 did (`sessionName`, `cookieConfig`, `idleTimeout`). */
import type { RouteSession } from "../../core/model/http-route.ts";
import type { Field } from "./fields.ts";
import { isFields, member, refuse } from "./fields.ts";
import { choiceIn, durationIn, missing, objectIn, tokenIn } from "./gateway-fields.ts";
import type { RulePlace } from "./route.ts";

const KNOWN = [
  "type",
  "absoluteTimeout",
  "idleTimeout",
  "sessionName",
  "cookie",
  "header",
  "cookieConfig",
];

export function readSession(parent: Field, place: RulePlace): RouteSession | undefined {
  const field = objectIn(parent, "sessionPersistence", KNOWN);
  if (!field) return undefined;
  const type = choiceIn(field, "type", { allowed: ["Cookie", "Header"], fallback: "Cookie" });
  const absoluteTimeoutMs = durationIn(field, "absoluteTimeout");
  const idleTimeoutMs = durationIn(field, "idleTimeout");
  const named = nameIn(field, "sessionName");
  if (type === "Header") {
    const header = objectIn(field, "header", ["name"]);
    const name = named ?? nameIn(header, "name");
    if (name === undefined) refuse(missing(field, "header"), "must be given, with a name");
    return {
      kind: "header",
      name: name ?? "",
      absoluteTimeoutMs,
      idleTimeoutMs,
      isPermanent: false,
    };
  }
  const { ownName, isPermanent } = readCookie(field);
  if (isPermanent && absoluteTimeoutMs === 0) {
    refuse(missing(field, "absoluteTimeout"), "must be given for a permanent cookie");
  }
  const name = named ?? ownName ?? makeName(place);
  return { kind: "cookie", name, absoluteTimeoutMs, idleTimeoutMs, isPermanent };
}

function readCookie(field: Field): {
  readonly ownName: string | undefined;
  readonly isPermanent: boolean;
} {
  const cookie = objectIn(field, "cookie", ["name", "path", "lifetimeType"]);
  const path = cookie && member(cookie, "path");
  if (path && path.value !== "/") refuse(path, "is not supported, other than /");
  const settings = cookie ?? objectIn(field, "cookieConfig", ["lifetimeType"]);
  const lifetimes = { allowed: ["Session", "Permanent"], fallback: "Session" } as const;
  const lifetime = settings ? choiceIn(settings, "lifetimeType", lifetimes) : "Session";
  return { ownName: nameIn(cookie, "name"), isPermanent: lifetime === "Permanent" };
}

function nameIn(field: Field | undefined, name: string): string | undefined {
  const isThere = field && isFields(field.value) && field.value[name] !== undefined;
  return isThere ? tokenIn(field, name) : undefined;
}

/** "If not specified, a unique cookie name SHOULD be generated." No name of an object holds "_". */
function makeName({ route, rule }: RulePlace): string {
  return `weft_${route.replace("/", "_")}_${rule}`;
}
