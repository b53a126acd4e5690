/**
 * Random policies as users write them, out of a small world, so that matches and near misses happen:
 * a prefix one letter short or long, another case, a mapped address, an empty list, a negation.
 */
import type { SeededRandom } from "../fakes/seeded-random.ts";
import type { WrittenCondition, WrittenPolicy, WrittenRule, WrittenSpec } from "./asked.ts";
import * as world from "./small-world.ts";

type Make = (random: SeededRandom) => string;

const TEXT_FIELDS: Readonly<Record<string, Make>> = {
  principals: form(principal),
  namespaces: form(oneOf(world.NAMESPACES)),
  trustDomains: form(oneOf(world.DOMAINS)),
  serviceAccounts: account,
  ipBlocks: oneOf(world.BLOCKS),
  requestPrincipals: oneOf(world.REQUEST_PRINCIPALS),
  remoteIpBlocks: oneOf(world.BLOCKS),
};

const OPERATION_FIELDS: Readonly<Record<string, Make>> = {
  ports: oneOf(world.PORT_TEXTS),
  hosts: form(oneOf(world.HOST_NAMES)),
  methods: form(oneOf(world.METHODS)),
  paths: path,
};

const LAYER7 = new Set(["requestPrincipals", "remoteIpBlocks", "hosts", "methods", "paths"]);

const CONDITIONS: Readonly<Record<string, Make>> = {
  "source.principal": form(principal),
  "source.namespace": form(oneOf(world.NAMESPACES)),
  "source.trustDomain": form(oneOf(world.DOMAINS)),
  "source.serviceAccount": account,
  "source.ip": oneOf(world.BLOCKS),
  "destination.ip": oneOf(world.BLOCKS),
  "destination.port": oneOf(world.PORT_TEXTS),
};

const LAYER7_CONDITIONS: Readonly<Record<string, Make>> = {
  "remote.ip": oneOf(world.BLOCKS),
  "connection.sni": form(oneOf(world.SERVER_NAMES)),
  "request.headers[x-role]": form(oneOf(world.HEADER_WORDS)),
  "request.headers[X-Role]": form(oneOf(world.HEADER_WORDS)),
  "request.headers[x-none]": form(oneOf(world.HEADER_WORDS)),
  "request.auth.principal": oneOf(world.REQUEST_PRINCIPALS),
  "request.auth.audiences": form(oneOf(world.CLAIM_WORDS)),
  "request.auth.presenter": form(oneOf(world.CLAIM_WORDS)),
  "request.auth.claims[groups]": form(oneOf(world.CLAIM_WORDS)),
  "request.auth.claims[scope]": form(oneOf(world.CLAIM_WORDS)),
  "request.auth.claims[permission]": form(oneOf(world.CLAIM_WORDS)),
  "request.auth.claims[a][b]": form(oneOf(world.CLAIM_WORDS)),
  "request.auth.claims[__proto__]": form(oneOf(world.CLAIM_WORDS)),
  "request.auth.claims[constructor][name]": form(oneOf(world.CLAIM_WORDS)),
};

/** How much of a set asks for what layer 4 cannot show. */
export interface Taste {
  readonly layer7: number;
}

export function randomPolicies(random: SeededRandom): readonly WrittenPolicy[] {
  const taste = { layer7: pick(random, [0, 0.2, 0.5]) };
  // Now and then enough rules for an index of several levels.
  const count = random.chance(0.1) ? random.whole(8, 24) : random.whole(0, 5);
  return Array.from({ length: count }, (_, i) => randomPolicy(random, `p${i}`, taste));
}

function randomPolicy(random: SeededRandom, name: string, taste: Taste): WrittenPolicy {
  const action = pick(random, [
    "ALLOW",
    "ALLOW",
    "ALLOW",
    "DENY",
    "DENY",
    "AUDIT",
    "CUSTOM",
  ] as const);
  const least = action === "ALLOW" || action === "AUDIT" ? 0 : 1;
  const rules = Array.from({ length: random.whole(least, 3) }, () => randomRule(random, taste));
  const isBroken = random.chance(0.04);
  const spec: WrittenSpec = {
    action,
    ...(action === "CUSTOM" ? { provider: { name: pick(random, world.PROVIDERS) } } : {}),
    ...randomScope(random),
    ...(rules.length > 0 || random.chance(0.5) ? { rules } : {}),
  };
  return {
    namespace: pick(random, ["shop", "shop", "shop", "weft-system", "ops"]),
    name,
    dryRun: random.chance(0.1),
    spec: isBroken ? { ...spec, rules: [...rules, pick(random, world.BROKEN_RULES)] } : spec,
    broken: isBroken,
  };
}

function randomScope(random: SeededRandom): Pick<WrittenSpec, "selector" | "targetRefs"> {
  switch (random.whole(0, 6)) {
    case 0:
      return { selector: { matchLabels: pick(random, world.LABELS) } };
    case 1:
      return { targetRefs: [{ kind: "Service", name: pick(random, ["api", "api-2", "ap"]) }] };
    default:
      return {};
  }
}

function randomRule(random: SeededRandom, taste: Taste): WrittenRule {
  if (random.chance(0.05)) return {};
  const from = some(random, () => ({ source: fields(random, TEXT_FIELDS, taste) }));
  const to = some(random, () => ({ operation: fields(random, OPERATION_FIELDS, taste) }));
  const when = some(random, () => randomCondition(random, taste));
  return {
    ...(random.chance(0.6) ? { from } : {}),
    ...(random.chance(0.5) ? { to } : {}),
    ...(random.chance(0.3) ? { when } : {}),
  };
}

/** At least one field. */
function fields(
  random: SeededRandom,
  makers: Readonly<Record<string, Make>>,
  { layer7 }: Taste,
): Record<string, string[]> {
  const names = Object.keys(makers).filter((name) => !LAYER7.has(name) || random.chance(layer7));
  const written: Record<string, string[]> = {};
  for (let i = random.chance(0.7) ? 1 : random.whole(2, 3); i > 0; i -= 1) {
    const name = pick(random, names);
    const make = makers[name];
    const isNot = random.chance(0.3);
    const field = isNot ? `not${name.charAt(0).toUpperCase()}${name.slice(1)}` : name;
    if (make) written[field] = list(random, make);
  }
  return written;
}

function randomCondition(random: SeededRandom, { layer7 }: Taste): WrittenCondition {
  const makers = random.chance(layer7) ? LAYER7_CONDITIONS : CONDITIONS;
  const key = pick(random, Object.keys(makers));
  const make = makers[key] ?? principal;
  const kind = random.whole(0, 4);
  return {
    key,
    ...(kind === 0 ? {} : { values: list(random, make) }),
    ...(kind <= 1 ? { notValues: list(random, make) } : {}),
  };
}

/** Mostly short, now and then long enough to be hashed. */
function list(random: SeededRandom, make: Make): string[] {
  const length = random.chance(0.05) ? random.whole(13, 16) : random.whole(1, 2);
  return Array.from({ length }, () => make(random));
}

function some<T>(random: SeededRandom, make: () => T): T[] {
  return Array.from({ length: random.chance(0.7) ? 1 : 2 }, make);
}

/** A word in one of the forms of a text, or nearly. */
function form(word: Make): Make {
  return (random) => {
    const text = word(random);
    const short = text.slice(0, -1) || text;
    switch (random.whole(0, 9)) {
      case 0:
        return "*";
      case 1:
        return `${text}*`;
      case 2:
        return `${short}*`;
      case 3:
        return `*${text}`;
      case 4:
        return `*${text.slice(1) || text}`;
      case 5:
        return text.toUpperCase();
      case 6:
        return short;
      default:
        return text;
    }
  };
}

function principal(random: SeededRandom): string {
  const domain = pick(random, world.DOMAINS);
  const namespace = pick(random, world.NAMESPACES);
  return `${domain}/ns/${namespace}/sa/${pick(random, world.ACCOUNTS)}`;
}

function account(random: SeededRandom): string {
  const name = pick(random, world.ACCOUNTS);
  return random.chance(0.5) ? name : `${pick(random, world.NAMESPACES)}/${name}`;
}

function path(random: SeededRandom): string {
  if (random.chance(0.4)) return pick(random, world.PATH_TEMPLATES);
  return form(oneOf(world.PATHS.filter((text) => text !== "" && !text.includes("*"))))(random);
}

function oneOf(words: readonly string[]): Make {
  return (random) => pick(random, words);
}

export function pick<T>(random: SeededRandom, list: readonly T[]): T {
  const item = list[Math.floor(random.next() * list.length)];
  if (item === undefined) throw new RangeError("an empty list");
  return item;
}
