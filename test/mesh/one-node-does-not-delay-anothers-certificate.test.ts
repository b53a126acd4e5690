/** One node floods the real gRPC server with requests over several connections; another asks once. */
import { afterEach, expect, test } from "@jest/globals";
import { CertifyClient } from "../../nodeproxy/control/certify.ts";
import type { Issued, IssueRequest } from "../../operator/distribute/certify.ts";
import { LineCa, LineConfig, OPERATOR, openLineOperator } from "../fakes/line-operator.ts";

const CONNECTIONS = 5;
/** Of one connection, as many as the server lets it have open. */
const REQUESTS = 100;
/** So long the CPU is busy for a certificate. */
const ISSUE_MS = 0.5;

const ca = new LineCa();
const toClose: (() => Promise<void>)[] = [];

afterEach(async () => {
  for (const close of toClose.splice(0).reverse()) await close();
});

function clientOf(port: number, node: string): CertifyClient {
  const client = new CertifyClient({
    address: `127.0.0.1:${port}`,
    roots: () => ca.rootsPem,
    serverIdentity: OPERATOR,
    token: async () => node,
  });
  toClose.push(() => client.close());
  return client;
}

test("a node with hundreds of requests waiting delays another's by a few, whatever connections it has", async () => {
  const issuedTo: string[] = [];
  const flooded = Promise.withResolvers<void>();
  function issue({ node }: IssueRequest): Issued {
    const until = performance.now() + ISSUE_MS;
    while (performance.now() < until);
    issuedTo.push(node);
    if (issuedTo.length === 50) flooded.resolve();
    return { kind: "issued", chain: [Uint8Array.of(1)], notAfterMs: 0 };
  }
  const operator = await openLineOperator({
    config: new LineConfig(),
    identity: ca.identity(),
    issue,
  });
  toClose.push(() => operator.close(100));
  const { signal } = new AbortController();
  const request = { workload: "uid", csr: Uint8Array.of(1), signal };
  const modest = clientOf(operator.port, "node-b");
  // Its connection is there already, as a node's is that renews.
  await modest.certify(request);
  const greedy = Array.from({ length: CONNECTIONS }, () => clientOf(operator.port, "node-a"));
  const flood = greedy.flatMap((client) =>
    Array.from({ length: REQUESTS }, () => client.certify(request)),
  );
  const settled = Promise.allSettled(flood);
  await flooded.promise;
  const before = issuedTo.length;
  await modest.certify(request);
  const delayedBy = issuedTo.slice(before).indexOf("node-b");
  // Its frames are read and its token is looked up while others have their turns.
  expect(delayedBy).toBeGreaterThanOrEqual(0);
  expect(delayedBy).toBeLessThanOrEqual(10);
  // There was something to wait for.
  const outcomes = await settled;
  expect(issuedTo.length - before).toBeGreaterThan(150);
  const refused = outcomes.filter(({ status }) => status === "rejected");
  for (const each of refused) {
    expect(each).toMatchObject({ reason: { reason: "overloaded", refusal: "too_many_requests" } });
  }
});
