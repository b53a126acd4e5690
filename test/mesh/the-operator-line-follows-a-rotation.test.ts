/** Whom a node proxy takes for the operator before, during and after a rotation, and how it heeds push-back: over real TLS. */
import { afterEach, expect, test } from "@jest/globals";
import type { TrustBundle } from "../../core/model/trust-bundle.ts";
import { certificateFingerprint } from "../../core/x509/fingerprint.ts";
import { formatCertificatesPem } from "../../core/x509/pem.ts";
import { CertifyClient } from "../../nodeproxy/control/certify.ts";
import {
  type OperatorLineOptions,
  openOperatorLine,
} from "../../nodeproxy/control/operator-line.ts";
import { operatorRoots } from "../../nodeproxy/control/operator-roots.ts";
import { createCraftedRoot, uriName } from "../fakes/crafted-ca.ts";
import { LineConfig, OPERATOR, openLineOperator } from "../fakes/line-operator.ts";

const trustDomain = "cluster.local";
const before = createCraftedRoot("root before");
const root = createCraftedRoot("line root");
const middle = root.issue({ isCa: true, keyUsage: 6, commonName: "line middle" });
const toClose: (() => Promise<void>)[] = [];

afterEach(async () => {
  for (const close of toClose.splice(0).reverse()) await close();
});

async function startOperator(): Promise<number> {
  const { chainPem, keyPem } = middle.issue({ names: [uriName(OPERATOR)] });
  const identity = { chainPem, keyPem };
  const operator = await openLineOperator({ config: new LineConfig(), identity });
  toClose.push(() => operator.close(100));
  return operator.port;
}

/** With the bundle in use, and the roots file as kubelet has brought it so far. */
function lineTo(port: number, bundle: Partial<TrustBundle>, file: Uint8Array): OperatorLineOptions {
  const bundles = [{ trustDomain, roots: [], issuer: "", retired: [], ...bundle }];
  async function readFile(): Promise<string> {
    return formatCertificatesPem([file]);
  }
  return {
    address: `127.0.0.1:${port}`,
    roots: () => operatorRoots({ trustDomain, bundles, readFile }),
    bundles: () => bundles,
    serverIdentity: OPERATOR,
    token: async () => "node-a",
  };
}

/** "" where the line opens, else why not. */
async function refusalOf(line: OperatorLineOptions): Promise<string> {
  try {
    (await openOperatorLine(line, new AbortController().signal)).close();
    return "";
  } catch (error) {
    return String((error as { readonly reason?: unknown }).reason);
  }
}

test("the bundle knows the operator where the roots file is late, and the file where the node slept", async () => {
  const port = await startOperator();
  expect(await refusalOf(lineTo(port, { roots: [root.der] }, before.der))).toBe("");
  expect(await refusalOf(lineTo(port, { roots: [before.der] }, root.der))).toBe("");
  const neither = lineTo(port, { roots: [before.der] }, before.der);
  expect(await refusalOf(neither)).toBe("operator_untrusted");
});

test("a retired CA proves no operator, root or intermediate, though bundle and file still have the root", async () => {
  const port = await startOperator();
  const roots = [before.der, root.der];
  expect(await refusalOf(lineTo(port, { roots }, root.der))).toBe("");
  for (const { der } of [root, middle]) {
    const retired = [certificateFingerprint(der)];
    expect(await refusalOf(lineTo(port, { roots, retired }, root.der))).toBe("operator_untrusted");
  }
});

test("with every root retired no line opens, rather than one by the public CAs", async () => {
  const port = await startOperator();
  const retired = [certificateFingerprint(root.der)];
  const line = lineTo(port, { roots: [root.der], retired }, root.der);
  expect(await refusalOf(line)).toBe("no_credentials");
});

test("certify(): beyond the node's rate the operator's push-back reaches the asker", async () => {
  const port = await startOperator();
  const client = new CertifyClient(lineTo(port, { roots: [root.der] }, root.der));
  toClose.push(() => client.close());
  const request = { workload: "u1", csr: Uint8Array.of(1), signal: new AbortController().signal };
  const answers = await Promise.allSettled(
    Array.from({ length: 700 }, () => client.certify(request)),
  );
  const failures = answers.map((answer) =>
    answer.status === "rejected"
      ? (answer.reason as { refusal: string; retryAfterMs: number })
      : undefined,
  );
  const pushedBack = failures.filter((failure) => failure?.refusal === "too_many_requests");
  expect(pushedBack.length).toBeGreaterThan(0);
  for (const failure of pushedBack) {
    expect(failure?.retryAfterMs).toBeGreaterThan(0);
    expect(failure?.retryAfterMs).toBeLessThan(1_000);
  }
  const others = failures.filter((failure) => failure?.refusal === "workload_unknown");
  expect(others.map((failure) => failure?.retryAfterMs)).toEqual(others.map(() => 0));
});
