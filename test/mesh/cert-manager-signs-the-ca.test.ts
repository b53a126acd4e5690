/** MeshConfig names an issuer: the real operator as its own process, on an API server with CertificateRequests (a fake one). */
import { generateKeyPairSync } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { createCaCsr, formatCsrPem } from "../../core/x509/create-csr.ts";
import { distinguishedName } from "../../core/x509/sign-certificate.ts";
import { WATCHED_KINDS } from "../../operator/resources/watched-kinds.ts";
import { CertificateSigner } from "../fakes/certificate-signer.ts";
import { KubeObjectServer, type SeenWrite } from "../fakes/kube-object-server.ts";
import { OperatorProcess } from "../fakes/operator-process.ts";

const REQUESTS = "/apis/cert-manager.io/v1/namespaces/weft-system/certificaterequests";
const SECRETS = "/api/v1/namespaces/weft-system/secrets";
const ROOTS = "/api/v1/namespaces/weft-system/configmaps/weft-roots";
const DAY_MS = 86_400_000;
const MESH_CONFIG = {
  metadata: { name: "default", uid: "m", resourceVersion: "1" },
  spec: { certificates: { issuerRef: { name: "corporate", kind: "ClusterIssuer" } } },
};

let server: KubeObjectServer;
let directory: string;
let corporate: CertificateSigner;
let open: OperatorProcess[];

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), "weft-operator-"));
  open = [];
  corporate = new CertificateSigner();
  server = new KubeObjectServer();
  server.collections.add(REQUESTS);
  await server.start();
  const lists = new Map<string, readonly object[]>(
    WATCHED_KINDS.map(({ apiVersion, plural }) => {
      const group = apiVersion.includes("/") ? "apis" : "api";
      return [`/${group}/${apiVersion}/${plural}`, plural === "meshconfigs" ? [MESH_CONFIG] : []];
    }),
  );
  server.answer = (method, path) => {
    const items = method === "GET" ? lists.get(path) : undefined;
    return items && { kind: "List", metadata: { resourceVersion: "1" }, items };
  };
});

afterEach(async () => {
  for (const one of open) await one.close();
  await server.stop();
  rmSync(directory, { recursive: true });
});

function startOperator(podName = "weft-operator-0"): OperatorProcess {
  const operator = new OperatorProcess({ directory, server: server.url(), podName });
  open.push(operator);
  return operator;
}

function isRequest({ method, path }: SeenWrite): boolean {
  return method === "POST" && path === REQUESTS;
}

/** As cert-manager's CA issuer does, once somebody has approved. */
function sign(request: SeenWrite): void {
  const { name } = request.body["metadata"] as { readonly name: string };
  const spec = request.body["spec"] as { readonly request: string };
  const csrPem = Buffer.from(spec.request, "base64").toString("utf8");
  const path = `${REQUESTS}/${name}`;
  server.put(path, {
    ...server.get(path),
    status: {
      conditions: [
        { type: "Approved", status: "True" },
        { type: "Ready", status: "True", reason: "Issued" },
      ],
      certificate: Buffer.from(corporate.sign(csrPem)).toString("base64"),
      ca: Buffer.from(corporate.rootPem).toString("base64"),
    },
  });
}

function entries(): Readonly<Record<string, string>> {
  const { data = {} } = (server.get(`${SECRETS}/weft-ca`) ?? {}) as {
    readonly data?: Readonly<Record<string, string>>;
  };
  return Object.fromEntries(
    Object.entries(data).map(([entry, text]) => [entry, Buffer.from(text, "base64").toString()]),
  );
}

test("operator with an issuer: waits for its CA, makes none of its own, and serves under the issuer's root", async () => {
  const asked = server.nextWrite(isRequest);
  const operator = startOperator();
  const request = await asked;
  expect(await operator.logged("waiting for cert-manager")).toHaveLength(1);
  expect(await operator.readiness()).toBe(503);
  expect(server.get(`${SECRETS}/weft-ca`)).toBeUndefined();
  sign(request);
  await operator.ready();
  expect(Object.keys(entries()).toSorted()).toEqual(["ca.crt", "tls.crt", "tls.key"]);
  expect(entries()["ca.crt"]).toBe(corporate.rootPem);
  expect(server.get(ROOTS)?.["data"]).toMatchObject({ "roots.pem": corporate.rootPem });
  expect(JSON.stringify(server.writes.filter(isRequest))).not.toContain("PRIVATE");
});

test("operator with an issuer: of two replicas one gets the CA, the other takes it and its request back", async () => {
  const asked = new Promise<readonly SeenWrite[]>((resolve) => {
    const seen: SeenWrite[] = [];
    server.onWrite = (write) => {
      if (isRequest(write) && seen.push(write) === 2) resolve(seen);
    };
  });
  const [one, two] = [startOperator("one"), startOperator("two")];
  const [first] = await asked;
  if (!first) throw new Error("nobody asked");
  const removed = server.nextWrite(({ method }) => method === "DELETE");
  sign(first);
  await Promise.all([one.ready(), two.ready()]);
  const { name } = first.body["metadata"] as { readonly name: string };
  expect((await removed).path).not.toBe(`${REQUESTS}/${name}`);
  expect(server.get(ROOTS)?.["data"]).toMatchObject({ "roots.pem": corporate.rootPem });
});

test("operator with an issuer: the leader asks for the next intermediate in the last third, under the same root", async () => {
  const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const subject = distinguishedName("Weft", "Weft intermediate old");
  const csr = formatCsrPem(createCaCsr(privateKey, { subject, uri: "spiffe://cluster.local" }));
  const now = Date.now();
  const part = { notBeforeMs: now - 300 * DAY_MS, notAfterMs: now + 65 * DAY_MS };
  const old = corporate.sign(csr, part);
  const stored = {
    "tls.crt": old,
    "tls.key": privateKey.export({ format: "pem", type: "pkcs8" }).toString(),
    "ca.crt": corporate.rootPem,
  };
  const data = Object.entries(stored).map(([entry, pem]) => [entry, encode(pem)]);
  const metadata = { namespace: "weft-system", name: "weft-ca" };
  server.put(`${SECRETS}/weft-ca`, { metadata, data: Object.fromEntries(data) });
  const asked = server.nextWrite(isRequest);
  const operator = await startOperator().ready();
  const request = await asked;
  const replaced = server.nextWrite(({ method, path }) => {
    return method === "PUT" && path === `${SECRETS}/weft-ca`;
  });
  sign(request);
  await replaced;
  await operator.logged("intermediate renewed");
  expect(entries()["tls.crt"]).not.toBe(old);
  expect(entries()["ca.crt"]).toBe(corporate.rootPem);
  expect(entries()["root.key"]).toBeUndefined();
});

function encode(pem: string): string {
  return Buffer.from(pem).toString("base64");
}
