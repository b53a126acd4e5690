/** Holds docs/policy.md to the evaluator: every YAML block is valid, and the table under it tells what comes of it. */
import { readFileSync } from "node:fs";
import { expect, test } from "@jest/globals";
import { parseAllDocuments } from "yaml";
import type { Attempt } from "../nodeproxy/authz/attempt.ts";
import { decide } from "../nodeproxy/authz/decide.ts";
import { decideMode } from "../nodeproxy/authz/decide-mode.ts";
import { compileModes } from "../operator/compile/peer-authentication.ts";
import {
  type PeerAuthentication,
  parsePeerAuthentication,
} from "../operator/resources/peer-authentication.ts";
import { attempt, deciderOf, policyOf, ROOT, type Written } from "./policy-language.ts";

interface Manifest {
  readonly kind: string;
  readonly metadata: {
    readonly name: string;
    readonly namespace: string;
    readonly annotations?: Readonly<Record<string, string>>;
  };
  readonly spec: Readonly<Record<string, unknown>>;
}

const docs = readFileSync("docs/policy.md", "utf8");
/** A block, and the rows of the table that follows it before any other text. */
const BLOCK = /^```yaml\n([\s\S]*?)^```\n\n((?:\|.*\n)*)/gm;
const examples = [...docs.matchAll(BLOCK)].map(([, yaml = "", table = ""]) => ({
  objects: parseAllDocuments(yaml).map((document) => document.toJS() as Manifest),
  rows: table.split("\n").slice(2, -1).map(cellsOf),
}));

function cellsOf(line: string): readonly string[] {
  return line
    .split("|")
    .slice(1, -1)
    .map((cell) => cell.trim().replaceAll("`", ""));
}

/** `namespace/account`, or `plaintext`, and the address if it matters. */
function callOf(caller: string, port: string): Attempt {
  const [who = "", ip = "10.0.0.7"] = caller.split(" ");
  const [namespace, account] = who.split("/");
  const peer = who === "plaintext" ? undefined : `cluster.local/ns/${namespace}/sa/${account}`;
  return attempt(peer, { ip, port: Number(port) });
}

function writtenOf({ metadata, spec }: Manifest): Written {
  const dryRun = metadata.annotations?.["weft.dev/dry-run"] === "true";
  return { name: metadata.name, namespace: metadata.namespace, dryRun, spec };
}

function peerAuthenticationOf(object: Manifest): PeerAuthentication {
  const parsed = parsePeerAuthentication(object);
  if (parsed.kind !== "accepted") throw new Error(JSON.stringify(parsed.reasons));
  return parsed.value;
}

function parsedOf(object: Manifest) {
  switch (object.kind) {
    case "AuthorizationPolicy":
      return policyOf(writtenOf(object)).parsed;
    case "PeerAuthentication":
      return parsePeerAuthentication(object);
    default:
      throw new TypeError(`docs/policy.md shows an unknown kind ${object.kind}`);
  }
}

/** What comes of the call under these objects alone: the code or `permit`, and what dry run would make of it. */
function outcomeOf(
  objects: readonly Manifest[],
  call: Attempt,
): readonly [string, string | undefined] {
  const modes = compileModes({
    policies: objects.filter(({ kind }) => kind === "PeerAuthentication").map(peerAuthenticationOf),
    namespace: "shop",
    labels: { app: "api" },
    rootNamespace: ROOT,
  });
  const mode = decideMode(modes, call);
  if (mode.kind === "deny") return [mode.reason, undefined];
  const policies = objects.filter(({ kind }) => kind === "AuthorizationPolicy");
  const { verdict, dryRun } = decide(deciderOf(policies.map(writtenOf)), call);
  return [verdict.kind === "deny" ? verdict.reason : "permit", dryRun];
}

test("docs/policy.md: every YAML block is an example, with a table of what comes of it", () => {
  const fences = docs.match(/^```yaml$/gm) ?? [];
  expect(fences.length).toBeGreaterThan(12);
  expect(examples).toHaveLength(fences.length);
  for (const { rows } of examples) expect(rows.length).toBeGreaterThan(1);
});

for (const { objects, rows } of examples) {
  const names = objects.map(({ metadata }) => metadata.name).join(", ");
  for (const object of objects) {
    test(`docs/policy.md: ${object.kind} ${object.metadata.name} is accepted as it stands`, () => {
      expect(parsedOf(object).kind).toBe("accepted");
    });
  }
  for (const [caller = "", port = "", verdict = "", wouldBe] of rows) {
    test(`docs/policy.md: with ${names}, ${caller} to port ${port}: ${verdict}`, () => {
      expect(outcomeOf(objects, callOf(caller, port))).toEqual([verdict, wouldBe]);
    });
  }
}
