import { generateKeyPairSync } from "node:crypto";
import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { createLog } from "../../core/process/log.ts";
import { createCaCsr, formatCsrPem } from "../../core/x509/create-csr.ts";
import { EMPTY_NAME } from "../../core/x509/sign-certificate.ts";
import { KubeObjectServer, type SeenWrite } from "../../test/fakes/kube-object-server.ts";
import type { SigningRequest } from "../ca/external-signer.ts";
import type { IssuerRef } from "../resources/mesh-config.ts";
import { createCertificateRequestSigner } from "./certificate-request.ts";
import { type RequestObject, readRequest } from "./certificate-request-object.ts";

const REQUESTS = "/apis/cert-manager.io/v1/namespaces/weft-system/certificaterequests";
const OWN = `${REQUESTS}/weft-intermediate-00ff`;
const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
const CSR = formatCsrPem(createCaCsr(privateKey, { subject: EMPTY_NAME, uri: "spiffe://a" }));

let server: KubeObjectServer;
let issuerRef: IssuerRef | undefined;
let isCaStored: boolean;

beforeEach(async () => {
  server = new KubeObjectServer();
  await server.start();
  server.collections.add(REQUESTS);
  issuerRef = { name: "corporate", kind: "ClusterIssuer", group: "cert-manager.io" };
  isCaStored = false;
  server.put("/api/v1/namespaces/weft-system/pods/weft-operator-0", {
    metadata: { name: "weft-operator-0", uid: "pod-uid" },
  });
});

afterEach(async () => {
  await server.stop();
});

function createSigner() {
  return createCertificateRequestSigner({
    api: server.client(),
    namespace: "weft-system",
    podName: "weft-operator-0",
    issuerRef: () => issuerRef,
    isCaStored: async () => isCaStored,
    log: createLog({ name: "test", level: "fatal" }),
    pollMs: 5,
  });
}

function request(part: Partial<SigningRequest> = {}): SigningRequest {
  const { signal } = new AbortController();
  return {
    csrPem: CSR,
    mark: "00ff",
    lifetimeSeconds: 31_536_000,
    isFirst: false,
    signal,
    ...part,
  };
}

async function isAsked(): Promise<SeenWrite> {
  return server.nextWrite(({ method, path }) => method === "POST" && path === REQUESTS);
}

function answer(status: object, path = OWN): void {
  server.put(path, { ...server.get(path), status });
}

/** `state` is `Type=Status`. */
function condition(state: string, reason = "", message = "") {
  const [type = "", status = ""] = state.split("=");
  return { type, status, reason, message };
}

const SIGNED = {
  conditions: [condition("Approved=True"), condition("Ready=True", "Issued")],
  certificate: Buffer.from("chain").toString("base64"),
  ca: Buffer.from("root").toString("base64"),
};

test("sign(): asks once with a CertificateRequest of the pod's, and gives chain and root", async () => {
  const asked = isAsked();
  const signed = createSigner().sign(request());
  const { body } = await asked;
  expect(body).toEqual({
    apiVersion: "cert-manager.io/v1",
    kind: "CertificateRequest",
    metadata: {
      name: "weft-intermediate-00ff",
      namespace: "weft-system",
      labels: {
        "app.kubernetes.io/part-of": "weft",
        "weft.dev/requested-by": "weft-operator-0",
      },
      ownerReferences: [{ apiVersion: "v1", kind: "Pod", name: "weft-operator-0", uid: "pod-uid" }],
    },
    spec: {
      request: Buffer.from(CSR).toString("base64"),
      isCA: true,
      usages: ["digital signature", "cert sign", "crl sign"],
      duration: "8760h",
      issuerRef,
    },
  });
  answer({ conditions: [condition("Approved=True")] });
  answer(SIGNED);
  expect(await signed).toEqual({ kind: "signed", chainPem: "chain", rootsPem: "root" });
  expect(server.writes).toHaveLength(1);
});

test.each([
  [[], { kind: "pending", why: "nobody has approved it yet" }],
  [
    [condition("Approved=True"), condition("Ready=False", "Pending", "Waiting for issuer")],
    { kind: "pending", why: "Waiting for issuer" },
  ],
  [[condition("Approved=True")], { kind: "pending", why: "the issuer has not answered yet" }],
  // Without a certificate it is not ready, whatever it says.
  [[condition("Ready=True"), condition("Approved=True")], { kind: "pending", why: "" }],
  [
    [condition("Denied=True", "Policy", "not from here")],
    { kind: "denied", message: "Policy: not from here" },
  ],
  [
    [condition("InvalidRequest=True", "Usages", "they differ")],
    { kind: "denied", message: "Usages: they differ" },
  ],
  [
    [condition("Approved=True"), condition("Ready=False", "Failed", "no such role")],
    { kind: "denied", message: "Failed: no such role" },
  ],
])("readRequest(): %j is %j", (conditions, state) => {
  const object: RequestObject = { apiVersion: "", kind: "", metadata: { name: "a" } };
  expect(readRequest({ ...object, status: { conditions } })).toEqual(state);
});

test("sign(): a request that somebody removes is made again under the same name", async () => {
  const asked = isAsked();
  const signed = createSigner().sign(request());
  await asked;
  const again = isAsked();
  await server.client().call({ method: "DELETE", path: OWN });
  await again;
  answer(SIGNED);
  expect((await signed).kind).toBe("signed");
});

test("sign(): an API server that is away, and a cert-manager that is not there yet, are waited for", async () => {
  server.collections.clear();
  server.isFailing = true;
  const asked = isAsked();
  const signed = createSigner().sign(request());
  server.isFailing = false;
  server.collections.add(REQUESTS);
  await asked;
  answer(SIGNED);
  expect((await signed).kind).toBe("signed");
}, 20_000);

test("sign(): what admission refuses is denied", async () => {
  server.answer = (method) => {
    if (method !== "POST") return undefined;
    return { kind: "Status", code: 422, reason: "Invalid", message: "encoded CSR error" };
  };
  expect(await createSigner().sign(request())).toMatchObject({
    kind: "denied",
    message: expect.stringContaining("encoded CSR error"),
  });
});

test("sign(): what the pod asked before is removed, another pod's is not", async () => {
  for (const [name, pod] of [
    ["old", "weft-operator-0"],
    ["theirs", "weft-operator-1"],
  ] as const) {
    server.put(`${REQUESTS}/${name}`, {
      metadata: { name, labels: { "weft.dev/requested-by": pod } },
    });
  }
  const signer = createSigner();
  const asked = isAsked();
  const signed = signer.sign(request());
  await asked;
  expect(server.get(`${REQUESTS}/old`)).toBeUndefined();
  expect(server.get(`${REQUESTS}/theirs`)).toBeDefined();
  // Of two questions at once none removes the other's request.
  const second = isAsked();
  const other = signer.sign(request({ mark: "01" }));
  await second;
  expect(server.get(OWN)).toBeDefined();
  answer(SIGNED);
  answer(SIGNED, `${REQUESTS}/weft-intermediate-01`);
  expect([(await signed).kind, (await other).kind]).toEqual(["signed", "signed"]);
});

test("sign(): rejects and leaves nothing behind where nobody waits any more", async () => {
  const abort = new AbortController();
  const asked = isAsked();
  const signed = createSigner().sign(request({ signal: abort.signal }));
  await asked;
  abort.abort(new Error("stopped"));
  await expect(signed).rejects.toThrow("stopped");
  expect(server.get(OWN)).toBeUndefined();
});

test.each([
  [
    "MeshConfig names another issuer",
    () => (issuerRef = { name: "b", kind: "Issuer", group: "g" }),
  ],
  ["MeshConfig names none", () => (issuerRef = undefined)],
  ["another replica has got the first CA", () => (isCaStored = true)],
])("sign(): gives up once %s", async (_, change) => {
  const asked = isAsked();
  const signed = createSigner().sign(request({ isFirst: true }));
  await asked;
  change();
  await expect(signed).rejects.toMatchObject({ reason: "unavailable" });
  expect(server.get(OWN)).toBeUndefined();
});

test("complain(): is an Event about the request", async () => {
  server.put(OWN, {
    apiVersion: "cert-manager.io/v1",
    kind: "CertificateRequest",
    metadata: { name: "weft-intermediate-00ff", uid: "u" },
  });
  const complaint = { reason: "IntermediateUnusable", message: "no root" } as const;
  await createSigner().complain(request(), complaint);
  expect(server.writes.at(-1)?.body).toMatchObject({
    kind: "Event",
    type: "Warning",
    reason: "IntermediateUnusable",
    message: "no root",
    involvedObject: {
      kind: "CertificateRequest",
      namespace: "weft-system",
      name: "weft-intermediate-00ff",
      uid: "u",
    },
  });
});
