import { request } from "node:https";
import { text } from "node:stream/consumers";
import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { pino } from "pino";
import { Registry } from "prom-client";
import { formatCertificatesPem } from "../../core/x509/pem.ts";
import { createMemoryKeyStore } from "../../test/fakes/memory-key-store.ts";
import { type Authority, createAuthority } from "../ca/authority.ts";
import { validateObject } from "./validate-object.ts";
import { type ServingCertificate, WebhookServer } from "./webhook-server.ts";

const NAME = "weft-operator.weft-system.svc";

let authority: Authority;
let server: WebhookServer;
let port: number;

beforeEach(async () => {
  authority = await createAuthority({
    keyStore: createMemoryKeyStore(),
    trustDomain: "cluster.local",
    now: Date.now(),
  });
  server = new WebhookServer({
    handlers: {
      "/validate-objects": (review) =>
        validateObject(review, { rootNamespace: "weft-system", review: () => [] }),
      "/broken": () => {
        throw new Error("a defect");
      },
    },
    certificate: serving(),
    registry: new Registry(),
    log: pino({ enabled: false }),
  });
  port = await server.listen({ host: "127.0.0.1", port: 0 });
});

afterEach(async () => {
  await server.close();
});

function serving(): ServingCertificate {
  const { chainPem, keyPem } = authority.issueServer({
    dnsNames: [NAME],
    ipAddresses: [],
    lifetimeSeconds: 3600,
    now: Date.now(),
  });
  return { chain: chainPem, key: keyPem };
}

interface Answer {
  readonly status: number;
  readonly serial: string;
  readonly body: string;
}

/** As the API server does: by the Service's name, under the bundle of the webhook configuration. */
async function ask(path: string, body: string): Promise<Answer> {
  const ca = formatCertificatesPem(authority.bundle().roots);
  const options = { host: "127.0.0.1", port, servername: NAME, ca, path, method: "POST" };
  return new Promise((resolve, reject) => {
    const asked = request({ ...options, agent: false }, (response) => {
      const { socket, statusCode } = response;
      const serial = (
        socket as unknown as { getPeerCertificate(): { serialNumber: string } }
      ).getPeerCertificate().serialNumber;
      text(response).then(
        (received) => resolve({ status: statusCode ?? 0, serial, body: received }),
        reject,
      );
    });
    asked.on("error", reject);
    asked.end(body);
  });
}

function review(object: object): string {
  return JSON.stringify({
    apiVersion: "admission.k8s.io/v1",
    kind: "AdmissionReview",
    request: { uid: "r", operation: "CREATE", namespace: "shop", object },
  });
}

function policy(spec: object): object {
  const metadata = { generateName: "deny-", namespace: "shop" };
  return { apiVersion: "weft.dev/v1", kind: "AuthorizationPolicy", metadata, spec };
}

test("WebhookServer: a bad policy is denied with the field and the reason", async () => {
  const rules = [{ from: [{ source: { ipBlocks: ["10.0.0.0/99"] } }] }];
  const { status, body } = await ask(
    "/validate-objects",
    review(policy({ action: "DENY", rules })),
  );
  expect(status).toBe(200);
  const { response } = JSON.parse(body) as { response: { status: { message: string } } };
  expect(response).toMatchObject({ uid: "r", allowed: false });
  expect(response.status.message).toMatch(/^spec\.rules\[0\]\.from\[0\]\.source\.ipBlocks\[0\]: /);
});

test("WebhookServer: a policy that surprises is allowed with a warning", async () => {
  const { body } = await ask("/validate-objects", review(policy({})));
  expect(JSON.parse(body)).toMatchObject({
    response: { allowed: true, warnings: ["spec.rules: ALLOW without rules denies everything"] },
  });
});

test("WebhookServer: what is no review, too large, unknown, or hits a defect never allows anything", async () => {
  expect((await ask("/validate-objects", "{}")).status).toBe(400);
  expect((await ask("/validate-objects", "no json")).status).toBe(400);
  expect((await ask("/validate-objects", " ".repeat(9 * 1024 * 1024))).status).toBe(400);
  expect((await ask("/nowhere", review({}))).status).toBe(404);
  expect((await ask("/broken", review({}))).status).toBe(500);
});

test("WebhookServer: a new certificate is served without a restart", async () => {
  const before = await ask("/validate-objects", review(policy({})));
  server.setCertificate(serving());
  const after = await ask("/validate-objects", review(policy({})));
  expect(after.status).toBe(200);
  expect(after.serial).not.toBe(before.serial);
});
