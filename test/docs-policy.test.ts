/** Holds docs/policy.md to operator and evaluator: every YAML block is valid, and the table under it tells what comes of it. */
import { readFileSync } from "node:fs";
import { expect, test } from "@jest/globals";
import { parseAllDocuments } from "yaml";
import {
  type CalledPod,
  type Manifest,
  outcomeOfCall,
  type PodCall,
  type PodRequest,
  parseWritten,
} from "./called-pod.ts";
import { TokenForger } from "./fakes/token-forger.ts";

const docs = readFileSync("docs/policy.md", "utf8");
/** A block, and the rows of the table that follows it before any other text. */
const BLOCK = /^```yaml\n([\s\S]*?)^```\n\n((?:\|.*\n)*)/gm;
const examples = [...docs.matchAll(BLOCK)].map(([, yaml = "", table = ""]) => ({
  objects: parseAllDocuments(yaml).map((document) => document.toJS() as Manifest),
  rows: rowsOf(table),
}));

type Row = Readonly<Record<string, string>>;

function rowsOf(table: string): readonly Row[] {
  const [head = [], , ...rows] = table.split("\n").slice(0, -1).map(cellsOf);
  return rows.map((cells) => Object.fromEntries(head.map((name, i) => [name, cells[i] ?? ""])));
}

function cellsOf(line: string): readonly string[] {
  return line
    .split("|")
    .slice(1, -1)
    .map((cell) => cell.trim().replaceAll("`", ""));
}

const ISSUER = "https://idp.example";
const nowS = Math.floor(Date.now() / 1_000);
const issuer = new TokenForger(ISSUER, nowS);
const another = new TokenForger(ISSUER, nowS);
const POD: CalledPod = {
  namespace: "shop",
  labels: { app: "api" },
  ip: "10.0.0.9",
  rootNamespace: "weft-system",
  jwks: { [ISSUER]: JSON.stringify({ keys: [issuer.jwk] }) },
};

/** The one of which the guide speaks, where the example shows none. */
const SERVICE: Manifest = {
  apiVersion: "v1",
  kind: "Service",
  metadata: { name: "api", namespace: "shop" },
  spec: { selector: { app: "api" }, ports: [{ port: 80, targetPort: 8080 }] },
};

/** As the column `token` names them. */
function tokenOf(name: string): string | undefined {
  // Longer than a run of these tests.
  const lasting = { exp: nowS + 3_600, aud: "shop" };
  switch (name) {
    case "none":
      return undefined;
    case "of ada":
      return signed(issuer, lasting);
    case "of eve, in the group staff":
      return signed(issuer, { ...lasting, sub: "eve", groups: ["staff"] });
    case "signed by another key":
      return signed(another, lasting);
    case "of another issuer":
      return signed(issuer, { ...lasting, iss: "https://other.example" });
    case "for another audience":
      return signed(issuer, { ...lasting, aud: "bank" });
    case "expired":
      return signed(issuer, { ...lasting, exp: nowS - 3_600 });
    default:
      throw new TypeError(`no such token: ${name}`);
  }
}

function signed(forger: TokenForger, claims: Readonly<Record<string, unknown>>): string {
  return forger.sign({ alg: "RS256", kid: "rsa" }, forger.claims(claims));
}

/** `GET /path`, and a header after it if it matters. */
function requestOf({ request = "", token = "none" }: Row): PodRequest | undefined {
  if (request === "") return undefined;
  const [, method = "", target = "", name, value = ""] =
    /^(\S+) (\S+)(?: (\S+): (.*))?$/.exec(request) ?? [];
  const bearer = tokenOf(token);
  return {
    method,
    target,
    headers: {
      ...(name === undefined ? {} : { [name]: value }),
      ...(bearer === undefined ? {} : { authorization: `Bearer ${bearer}` }),
    },
  };
}

function answersOf({ authorizer = "" }: Row): Pick<PodCall, "answers" | "providers"> {
  switch (authorizer) {
    case "says yes":
      return { answers: new Map([["opa", "permit"]]), providers: ["opa"] };
    case "says no":
      return { answers: new Map([["opa", "deny"]]), providers: ["opa"] };
    default:
      return {};
  }
}

/** As the column `server` names it. */
function serverOf({ server = "no TLS" }: Row): Pick<PodCall, "serverName"> {
  if (server === "no TLS") return {};
  return { serverName: server === "none" ? "" : server };
}

/** The caller is `namespace/account`, or `plaintext`, and the address if it matters. */
function callOf(row: Row): PodCall {
  const [who = "", ip = "10.0.0.7"] = (row["caller"] ?? "").split(" ");
  const [namespace, account] = who.split("/");
  const request = requestOf(row);
  return {
    peer: who === "plaintext" ? undefined : `cluster.local/ns/${namespace}/sa/${account}`,
    ip,
    port: Number(row["port"]),
    ...(request ? { request } : {}),
    ...answersOf(row),
    ...serverOf(row),
  };
}

test("docs/policy.md: every YAML block is an example, with a table of what comes of it", () => {
  const fences = docs.match(/^```yaml$/gm) ?? [];
  expect(fences.length).toBeGreaterThan(15);
  expect(examples).toHaveLength(fences.length);
  for (const { rows } of examples) expect(rows.length).toBeGreaterThan(1);
});

test("docs/policy.md: requests are shown of every kind of token and authorizer", () => {
  const shown = new Set(examples.flatMap(({ rows }) => rows.flatMap((row) => Object.values(row))));
  for (const kind of ["none", "expired", "says yes", "says no", "is not in MeshConfig"]) {
    expect(shown).toContain(kind);
  }
});

for (const { objects, rows } of examples) {
  const names = objects.map(({ metadata }) => metadata.name).join(", ");
  for (const object of objects.filter(({ kind }) => kind !== "Service")) {
    test(`docs/policy.md: ${object.kind} ${object.metadata.name} is accepted as it stands`, () => {
      expect(parseWritten(object).kind).toBe("accepted");
    });
  }
  for (const row of rows) {
    const { verdict = "", "would be": wouldBe } = row;
    test(`docs/policy.md: with ${names}, ${Object.values(row).join(", ")}`, async () => {
      const isShown = objects.some(({ kind }) => kind === "Service");
      const world = isShown ? objects : [SERVICE, ...objects];
      const { code, isHttp, decision } = await outcomeOfCall(world, POD, callOf(row));
      expect([code, decision?.dryRun]).toEqual([verdict, wouldBe]);
      // A request is shown exactly where the operator makes HTTP of the port.
      expect(isHttp).toBe((row["request"] ?? "") !== "");
    });
  }
}
