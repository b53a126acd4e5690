/** Holds docs/access-log.md to the sources: every field of a line, every code that the node proxy can give. */
import { globSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "@jest/globals";
import { createAccessLog } from "../nodeproxy/telemetry/access-log.ts";
import { DENIED_CONNECTION, DENIED_OUTCOME } from "./fakes/denied-connection.ts";

const docs = readFileSync("docs/access-log.md", "utf8");
const [fields = "", codes = ""] = docs.split("\n## Codes\n");

/** Where connections are refused, carried and ended; a code is a word with an underscore in quotation marks. */
const SOURCES = [
  "nodeproxy/{inbound,outbound,flow,tunnel}/*.ts",
  "nodeproxy/http/{,match/}*.ts",
  "nodeproxy/tcp/dial-code.ts",
  "nodeproxy/jwt/refusal.ts",
  "nodeproxy/authz/verdict.ts",
  "nodeproxy/hbone/hbone-error.ts",
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

const REQUEST = { method: "GET", path: "/", host: "api.shop", status: 403, fields: [] };

function listed(part: string): readonly string[] {
  return [...part.matchAll(/^\| `(\w+)` \| \S.* \|$/gm)].map(([, name = ""]) => name);
}

function given(): ReadonlySet<string> {
  const files = SOURCES.flatMap((pattern) => globSync(pattern)).filter(
    (file) => !file.endsWith(".test.ts"),
  );
  expect(files.length).toBeGreaterThan(20);
  const text = files.map((file) => readFileSync(file, "utf8")).join("\n");
  const words = [...text.matchAll(/"([a-z0-9]+(?:_[a-z0-9]+)+)"/g)].map(([, word = ""]) => word);
  return new Set(words.filter((word) => !NO_CODES.has(word)));
}

test("docs/access-log.md: lists every code, once, and no other", () => {
  expect(listed(codes).toSorted()).toEqual([...given()].toSorted());
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
