/**
 * Holds the catalogue of `weftctl explain` to the sources, and docs/access-log.md to the catalogue: every code that the
 * node proxy can give. And the docs to every field of a line.
 */
import { globSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "@jest/globals";
import { CODE_GROUPS, explainedCodes } from "../cli/explain/catalogue.ts";
import { ACCESS_LOG } from "../cli/explain/code-group.ts";
import {
  AUTHORIZER_ANSWERS,
  RATE_SERVICE_ANSWERS,
  THREAD_DEATHS,
} from "../cli/explain/other-codes.ts";
import { createAccessLog } from "../nodeproxy/telemetry/access-log.ts";
import { DEATHS } from "../nodeproxy/workers/supervised-worker.ts";
import { DENIED_CONNECTION, DENIED_OUTCOME } from "./fakes/denied-connection.ts";

const docs = readFileSync("docs/access-log.md", "utf8");
const [fields = "", codes = ""] = docs.split("\n## Codes\n");

/** Where connections and requests are refused, carried and ended; a code is a word with an underscore in quotation marks. */
const SOURCES = [
  "nodeproxy/{inbound,outbound,flow,tunnel}/*.ts",
  "nodeproxy/http/*.ts",
  "nodeproxy/http/{filter,match}/*.ts",
  "nodeproxy/tcp/dial-code.ts",
  "nodeproxy/jwt/refusal.ts",
  "nodeproxy/plugins/{ask-plugins,hook-result}.ts",
  "nodeproxy/authz/verdict.ts",
  "nodeproxy/http2/http2-error.ts",
  "nodeproxy/balance/choice.ts",
  "nodeproxy/identity/verify-peer.ts",
  "nodeproxy/traffic-*.ts",
  "nodeproxy/workers/traffic-workers.ts",
  "core/x509/check-svid.ts",
];

/** Messages between processes and threads, and a reason that the tunnel's client tells as `tunnel_wrong_identity`. */
const NO_CODES = new Set([
  "denial_request",
  "leaf_dropped",
  "metrics_request",
  "tunnel_issuers",
  // Of RFC 6750, in an answer to a caller.
  "invalid_token",
  "pod_closed",
  "peer_identity_unexpected",
]);

/** A code of a single word is found where an exchange ends with it. */
const END = /#end\("([a-z]+)"\)/g;

const TRACE = {
  traceId: "0af7651916cd43dd8448eb211c80319c",
  spanId: "b7ad6b7169203331",
  parentId: "",
  flags: 1,
  state: "",
  version: "1.1",
  beganMs: 0,
} as const;
const ROUTE = { route: "shop/web", routeRule: "0", isMirror: true } as const;
const REQUEST = {
  method: "GET",
  path: "/",
  host: "api.shop",
  status: 403,
  fields: [],
  ...ROUTE,
  trace: TRACE,
};

function listed(part: string): readonly string[] {
  return [...part.matchAll(/^\| `(\w+)` \| \S.* \|$/gm)].map(([, name = ""]) => name);
}

function given(): ReadonlySet<string> {
  const files = SOURCES.flatMap((pattern) => globSync(pattern)).filter(
    (file) => !file.endsWith(".test.ts"),
  );
  expect(files.length).toBeGreaterThan(20);
  const text = files.map((file) => readFileSync(file, "utf8")).join("\n");
  const found = [...text.matchAll(/"([a-z0-9]+(?:_[a-z0-9]+)+)"/g), ...text.matchAll(END)];
  const words = found.map(([, word = ""]) => word);
  return new Set(words.filter((word) => !NO_CODES.has(word)));
}

/** Of the field `code`, with what each means. */
function explained(): ReadonlyMap<string, string> {
  const logged = explainedCodes().filter(({ toldIn }) => toldIn.includes(ACCESS_LOG));
  return new Map(logged.map(({ code, meaning }) => [code, meaning]));
}

test("weftctl explain: knows every code of the sources, and no other", () => {
  expect([...explained().keys()].toSorted()).toEqual([...given()].toSorted());
});

test("weftctl explain: knows each code once, with meaning, cause and cure", () => {
  const all = explainedCodes();
  expect(new Set(all.map(({ code }) => code)).size).toBe(all.length);
  for (const { meaning, cause, cure } of all) {
    for (const text of [meaning, cause, cure]) expect(text).toMatch(/^\S.{5,}[^\s,;:]$/);
  }
});

function unionIn(file: string, name: string): readonly string[] {
  const [, union = ""] =
    new RegExp(`type ${name} =([^;]+);`).exec(readFileSync(file, "utf8")) ?? [];
  return [...union.matchAll(/\| "(\w+)"/g)].map(([, word = ""]) => word);
}

test("weftctl explain: knows how threads end and what authorizers answer", () => {
  expect(Object.keys(THREAD_DEATHS.codes)).toEqual([...DEATHS]);
  const reasons = [
    ...unionIn("nodeproxy/ask/ask-error.ts", "AskReason"),
    ...unionIn("nodeproxy/ext-authz/authorizers.ts", "CannotAsk"),
  ];
  expect(reasons.length).toBeGreaterThan(3);
  const answers = ["permitted", "denied", ...reasons];
  expect(Object.keys(AUTHORIZER_ANSWERS.codes).toSorted()).toEqual(answers.toSorted());
  const page = readFileSync("docs/external-authorization.md", "utf8");
  for (const [answer, [meaning]] of Object.entries(AUTHORIZER_ANSWERS.codes)) {
    expect(page).toContain(`| \`${answer}\` | ${meaning} |`);
  }
});

test("weftctl explain and docs/rate-limits.md: know what the rate limit service answers", () => {
  const shared = unionIn("nodeproxy/ask/ask-error.ts", "AskReason");
  const own = unionIn("nodeproxy/rate-service/rate-service.ts", "CannotCount");
  const known = [
    ...Object.keys(AUTHORIZER_ANSWERS.codes),
    ...Object.keys(RATE_SERVICE_ANSWERS.codes),
  ];
  const answers = ["permitted", "denied", ...shared, ...own];
  expect(answers.filter((answer) => !known.includes(answer))).toEqual([]);
  const page = readFileSync("docs/rate-limits.md", "utf8");
  expect(listed(page.split("\n## When the service cannot be asked\n")[1] ?? "").toSorted()).toEqual(
    answers.toSorted(),
  );
});

test("docs/access-log.md: lists every code, once, and no other, in the words of weftctl explain", () => {
  const rows = [...codes.matchAll(/^\| `(\w+)` \| (\S.*) \|$/gm)];
  expect(rows.map(([, code = ""]) => code).toSorted()).toEqual([...explained().keys()].toSorted());
  for (const [, code = "", text = ""] of rows) {
    expect(`${code}: ${text}`.startsWith(`${code}: ${explained().get(code)}`)).toBe(true);
  }
});

test("docs/access-log.md: has every kind of code under its name, in the order of weftctl explain", () => {
  const kinds = CODE_GROUPS.filter(({ toldIn }) => toldIn.includes(ACCESS_LOG));
  const heads = [...codes.matchAll(/^\*\*(.+?)\*\*[,:]/gm)].map(([, head]) => head);
  expect(heads).toEqual(kinds.map(({ title }) => title));
  for (const { title, codes: own } of kinds) {
    const [, part = ""] = codes.split(`**${title}**`);
    expect(listed(part.split("\n**")[0] ?? "").toSorted()).toEqual(Object.keys(own).toSorted());
  }
});

test("docs/access-log.md: lists every field of a line, and no other", async () => {
  const folder = mkdtempSync(join(tmpdir(), "weft-docs-"));
  const file = join(folder, "access.log");
  const log = createAccessLog({ file, onDropped: () => undefined });
  log.write({ ...DENIED_CONNECTION, request: REQUEST }, DENIED_OUTCOME);
  await log.close();
  const line = JSON.parse(readFileSync(file, "utf8")) as object;
  rmSync(folder, { recursive: true });
  expect(Object.keys(line).toSorted()).toEqual(listed(fields).toSorted());
});
