import { createHash } from "node:crypto";
import { connect as connectHttp2, constants } from "node:http2";
import { connect as connectTls } from "node:tls";
import { create } from "@bufbuild/protobuf";
import { afterEach, expect, test } from "@jest/globals";
import fc from "fast-check";
import type { Rule } from "../../core/model/authorization-policy.ts";
import type { NodeReport } from "../../core/model/node-report.ts";
import { type Changes, type Resource, resourceKey } from "../../core/model/resource.ts";
import { refOf } from "../../core/wire/decode-changes.ts";
import { ConfigureRequestSchema } from "../../core/wire/gen/weft/v1/node_pb.ts";
import { PulledStream } from "../../core/wire/pulled-stream.ts";
import { CertifyClient } from "../../nodeproxy/control/certify.ts";
import {
  type AppliedChanges,
  ConfigStream,
  type ConfigStreamState,
} from "../../nodeproxy/control/config-stream.ts";
import { HeldResources } from "../../nodeproxy/control/held-resources.ts";
import {
  type OperatorLineOptions,
  openOperatorLine,
} from "../../nodeproxy/control/operator-line.ts";
import { createJoinTokenAuthentication } from "../../operator/distribute/authenticate.ts";
import type { Applied } from "../../operator/distribute/config-session.ts";
import {
  LineCa,
  LineConfig,
  type LineOperator,
  OPERATOR,
  openLineOperator,
  openRelay,
  reviewByName,
  silent,
} from "../fakes/line-operator.ts";

const ca = new LineCa();
const identity = ca.identity();
const toClose: (() => Promise<void>)[] = [];

afterEach(async () => {
  for (const close of toClose.splice(0).reverse()) await close();
});

async function operatorWith(
  options: Partial<Parameters<typeof openLineOperator>[0]> = {},
): Promise<{ operator: LineOperator; config: LineConfig }> {
  const config = options.config ?? new LineConfig();
  const operator = await openLineOperator({ identity, ...options, config });
  toClose.push(() => operator.close(100));
  return { operator, config };
}

function lineTo(port: number, token = "node-a", options: Partial<OperatorLineOptions> = {}) {
  return {
    address: `127.0.0.1:${port}`,
    roots: () => ca.rootsPem,
    serverIdentity: OPERATOR,
    token: async () => token,
    ...options,
  };
}

/** A node that holds what it is sent, and tells the test of every step. */
class Node {
  readonly held = new HeldResources();
  readonly batches: Changes[] = [];
  readonly states: ConfigStreamState[] = [];
  readonly stream: ConfigStream;
  #waiting: { until: () => boolean; resolve: () => void }[] = [];

  constructor(line: OperatorLineOptions, judge: (changes: Changes) => AppliedChanges = applied) {
    this.stream = new ConfigStream({
      line,
      version: "test",
      held: () => this.held.versions(),
      apply: (changes) => {
        const verdict = judge(changes);
        this.batches.push(changes);
        if (verdict.kind === "applied") this.held.apply(changes);
        this.tell();
        return verdict;
      },
      onState: (state) => {
        this.states.push(state);
        this.tell();
      },
      log: silent,
      backoff: { minMs: 5, maxMs: 20 },
    });
    this.stream.start();
    toClose.push(() => this.stream.close());
  }

  tell(): void {
    const done = this.#waiting.filter(({ until }) => until());
    this.#waiting = this.#waiting.filter((one) => !done.includes(one));
    for (const { resolve } of done) resolve();
  }

  async until(condition: () => boolean): Promise<void> {
    if (condition()) return;
    await new Promise<void>((resolve) => {
      this.#waiting.push({ until: condition, resolve });
    });
  }

  async synced(): Promise<void> {
    await this.until(() => this.stream.state === "synced");
  }
}

function applied(): AppliedChanges {
  return { kind: "applied" };
}

/** As an operator may send it that knows more than this version. */
function unreadable(name: string, version: string): Resource {
  const rules = [{ index: 0, from: [], to: [{ ports: [70_000], notPorts: [] }], when: [] }];
  return policy(name, version, rules);
}

function policy(name: string, version: string, rules: readonly Rule[] = []): Resource {
  return {
    name: `shop/${name}`,
    version,
    body: {
      kind: "policy",
      value: { ref: `shop/${name}`, action: "DENY", dryRun: false, invalid: false, rules },
    },
  };
}

/** About `kilobytes` large on the wire. */
function largeBundle(name: string, kilobytes: number): Resource {
  const roots = Array.from({ length: kilobytes / 50 }, (_, i) =>
    new Uint8Array(51_200).fill(i + 1),
  );
  return {
    name,
    version: "1",
    body: { kind: "bundle", value: { trustDomain: name, roots, issuer: "", retired: [] } },
  };
}

/** Compared as text: jest takes seconds for megabytes of arrays. */
function rootsOf({ name, body }: Resource): string {
  const roots = body.kind === "bundle" ? body.value.roots : [];
  return `${name} ${createHash("sha256").update(Buffer.concat(roots)).digest("hex")}`;
}

function byKey(resources: readonly Resource[]): Map<string, Resource> {
  return new Map(resources.map((one) => [resourceKey(refOf(one)), one]));
}

function firstCall<T>(): { promise: Promise<T>; call: (value: T) => void } {
  const { promise, resolve } = Promise.withResolvers<T>();
  return { promise, call: resolve };
}

test("a node gets everything first, then only what changes", async () => {
  const { operator, config } = await operatorWith();
  config.change([policy("a", "1"), policy("b", "1")]);
  const node = new Node(lineTo(operator.port));
  await node.synced();
  expect(node.batches.map(({ upserts }) => upserts.length)).toEqual([2]);
  config.change([policy("b", "2")], [{ kind: "policy", name: "shop/a" }]);
  await node.until(() => node.batches.length === 2);
  expect(node.batches[1]).toEqual({
    upserts: [policy("b", "2")],
    removals: [{ kind: "policy", name: "shop/a" }],
  });
});

test("an operator that has nothing still says that the node is up to date", async () => {
  const { operator } = await operatorWith();
  const node = new Node(lineTo(operator.port));
  await node.synced();
  expect(node.batches).toEqual([{ upserts: [], removals: [] }]);
});

test("after the operator was killed and is back, the node gets only the difference", async () => {
  const config = new LineConfig();
  config.change([policy("a", "1"), policy("b", "1"), policy("c", "1")]);
  const { operator } = await operatorWith({ config });
  const node = new Node(lineTo(operator.port));
  await node.synced();
  await operator.close(0);
  await node.until(() => node.stream.state === "disconnected");
  expect(node.held.size).toBe(3);
  config.change([policy("b", "2")], [{ kind: "policy", name: "shop/c" }]);
  await operatorWith({ config, port: operator.port });
  await node.synced();
  expect(node.batches.slice(1)).toEqual([
    { upserts: [policy("b", "2")], removals: [{ kind: "policy", name: "shop/c" }] },
  ]);
});

test("a resource that the node refuses is reported, and the rest is applied without it", async () => {
  const reports: Applied["refused"][] = [];
  const { operator, config } = await operatorWith({
    onApplied: (_, { refused }) => reports.push(refused),
  });
  config.change([policy("bad", "1"), policy("good", "1")]);
  const node = new Node(lineTo(operator.port), ({ upserts }) =>
    upserts.some(({ name, version }) => name === "shop/bad" && version === "1")
      ? { kind: "rejected", errors: [{ kind: "policy", name: "shop/bad", reason: "no" }] }
      : { kind: "applied" },
  );
  await node.until(() => node.held.size === 1);
  expect(node.held.all()).toEqual([policy("good", "1")]);
  expect(reports.at(-1)).toEqual([
    { kind: "policy", name: "shop/bad", version: "1", reason: "no" },
  ]);
  config.change([policy("bad", "2")]);
  await node.until(() => node.held.size === 2);
  expect(node.batches.at(-1)?.upserts).toEqual([policy("bad", "2")]);
});

test("a policy that the node cannot read whole is told with the reason, and hurts only itself", async () => {
  const told = Promise.withResolvers<Applied>();
  const { operator, config } = await operatorWith({
    onApplied: (_, { held, ...rest }) => {
      if (held.size === 2) told.resolve({ ...rest, held: new Map(held) });
    },
  });
  config.change([unreadable("newer", "1"), policy("good", "1")]);
  const node = new Node(lineTo(operator.port));
  const { held, refused, errors } = await told.promise;
  const newer = { kind: "policy", name: "shop/newer", version: "1?" };
  expect([errors, refused]).toEqual([[], [{ ...newer, reason: expect.stringMatching(/port/) }]]);
  expect(held.get("policy shop/newer")).toEqual(newer);
  expect(held.get("policy shop/good")).toMatchObject({ version: "1" });
  const invalid = node.held
    .all()
    .filter(({ body }) => "invalid" in body.value && body.value.invalid);
  expect(invalid.map(({ name }) => name)).toEqual(["shop/newer"]);
  config.change([policy("newer", "2")]);
  await node.until(() => node.held.get({ kind: "policy", name: "shop/newer" })?.version === "2");
});

test("a batch refused without a name is not repeated before something changes", async () => {
  const errors: (readonly string[])[] = [];
  const { operator, config } = await operatorWith({
    onApplied: (_, applied) => errors.push(applied.errors),
  });
  config.change([policy("a", "1")]);
  let isWilling = false;
  const node = new Node(lineTo(operator.port), () =>
    isWilling
      ? { kind: "applied" }
      : { kind: "rejected", errors: [{ kind: undefined, name: "", reason: "no room" }] },
  );
  await node.until(() => node.stream.state === "synced");
  isWilling = true;
  config.change([policy("b", "1")]);
  await node.until(() => node.held.size === 2);
  expect(node.batches.length).toBe(2);
  expect(errors).toContainEqual(["no room"]);
});

test("a batch larger than a message comes in parts and is applied as one", async () => {
  const { operator, config } = await operatorWith();
  const large = Array.from({ length: 10 }, (_, i) => largeBundle(`td-${i}`, 700));
  config.change(large);
  const node = new Node(lineTo(operator.port));
  await node.synced();
  expect(node.batches.map(({ upserts }) => upserts.length)).toEqual([10]);
  expect(node.held.all().map(rootsOf)).toEqual(large.map(rootsOf));
});

test("changes that come while a batch is under way go out as one", async () => {
  const { operator, config } = await operatorWith();
  let isFirst = true;
  const node = new Node(lineTo(operator.port), () => {
    if (isFirst) for (let i = 1; i <= 50; i += 1) config.change([policy("a", String(i))]);
    isFirst = false;
    return { kind: "applied" };
  });
  await node.until(() => node.held.size === 1);
  expect(node.batches.map(({ upserts }) => upserts.map(({ version }) => version))).toEqual([
    [],
    ["50"],
  ]);
});

test("the latest report arrives under the token's name, and again on every new stream", async () => {
  const config = new LineConfig();
  const first = firstCall<NodeReport>();
  const again = firstCall<NodeReport>();
  const { operator } = await operatorWith({ config, onReport: first.call });
  const node = new Node(lineTo(operator.port));
  node.stream.report({
    node: "node-b",
    version: "1",
    captures: [],
    leaves: [],
    bundles: [],
    olderTunnels: [],
  });
  expect(await first.promise).toMatchObject({ node: "node-a", version: "1" });
  await operator.close(0);
  await operatorWith({ config, port: operator.port, onReport: again.call });
  expect(await again.promise).toMatchObject({ node: "node-a", version: "1" });
});

test("the stream ends when its token does, and the next one takes a new token", async () => {
  let reviews = 0;
  const { operator } = await operatorWith({
    review: async (token) => {
      reviews += 1;
      const expiresAtMs = Date.now() + (token === "old" ? 3_000 : 3_600_000);
      return { kind: "node", node: "node-a", podUid: "pod", expiresAtMs };
    },
  });
  const tokens = ["old", "new"];
  const node = new Node(lineTo(operator.port, "", { token: async () => tokens.shift() ?? "new" }));
  await node.until(() => node.states.filter((state) => state === "synced").length === 2);
  expect(reviews).toBe(2);
});

test("streams end with the pod that the token is bound to", async () => {
  const { operator } = await operatorWith();
  const node = new Node(lineTo(operator.port, "node-a@pod-1"));
  await node.synced();
  operator.streams.endStreamsOf("pod-2");
  expect(operator.streams.size).toBe(1);
  operator.streams.endStreamsOf("pod-1");
  await node.until(() => node.stream.state === "disconnected");
});

test("a newer stream of the same pod closes the older; another pod of the node keeps its own", async () => {
  const { operator } = await operatorWith();
  const other = new Node(lineTo(operator.port, "node-a@pod-2"));
  await other.synced();
  const older = new Node(lineTo(operator.port, "node-a@pod-1"));
  await older.synced();
  const newer = new Node(lineTo(operator.port, "node-a@pod-1"));
  await older.until(() => older.states.includes("disconnected"));
  await older.stream.close();
  await newer.synced();
  expect(other.states).not.toContain("disconnected");
});

test("on files too, two node proxies of one node keep their streams, and a newer stream of one closes its older", async () => {
  const { operator } = await operatorWith({
    authenticate: createJoinTokenAuthentication(() => "join"),
  });
  function proxy(instance: string): Node {
    return new Node(lineTo(operator.port, "join", { self: { node: "node-a", instance } }));
  }
  const old = proxy("old");
  await old.synced();
  const next = proxy("next");
  await next.synced();
  const nextAgain = proxy("next");
  await next.until(() => next.states.includes("disconnected"));
  await next.stream.close();
  await nextAgain.synced();
  expect(old.states).not.toContain("disconnected");
});

async function outcome(options: OperatorLineOptions): Promise<unknown> {
  const signal = AbortSignal.timeout(60_000);
  return openOperatorLine(options, signal).then(
    (connection) => {
      connection.close();
      return "open";
    },
    (error: unknown) => (error as { reason?: unknown }).reason,
  );
}

test("a server with another identity, or of another CA, is not the operator", async () => {
  const { operator } = await operatorWith({
    identity: ca.identity("spiffe://cluster.local/ns/shop/sa/web"),
  });
  expect(await outcome(lineTo(operator.port))).toBe("operator_untrusted");
  operator.useIdentity(identity);
  expect(await outcome(lineTo(operator.port))).toBe("open");
  const foreign = new LineCa().rootsPem;
  const line = lineTo(operator.port, "node-a", { roots: () => foreign });
  expect(await outcome(line)).toBe("operator_untrusted");
  await operator.close(0);
  expect(await outcome(lineTo(operator.port))).toBe("operator_unreachable");
});

test("TLS 1.2 is refused, also after the operator's certificate was exchanged", async () => {
  const { operator } = await operatorWith();
  operator.useIdentity(ca.identity());
  const code = await new Promise<unknown>((resolve) => {
    const socket = connectTls({ port: operator.port, host: "127.0.0.1", maxVersion: "TLSv1.2" });
    socket.once("error", (error) => resolve("code" in error ? error.code : error));
    socket.once("secureConnect", () => resolve(socket.getProtocol()));
  });
  expect(code).toBe("ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION");
});

test("a bad token gets nothing, and a review that fails is no refusal for good", async () => {
  let isAway = true;
  const { operator, config } = await operatorWith({
    review: async (token) => {
      if (isAway) throw new Error("API server away");
      return reviewByName(token);
    },
  });
  const node = new Node(lineTo(operator.port));
  const bad = new Node(lineTo(operator.port, "bad"));
  await node.until(() => operator.streams.size === 0);
  isAway = false;
  await node.synced();
  expect(config.watchers).toBe(1);
  expect(bad.states).not.toContain("synced");
});

test("certify(): gets the chain, and the reason of a refusal; the node is the token's", async () => {
  const asked: string[] = [];
  const { operator } = await operatorWith({
    issue: ({ node, workload }) => {
      asked.push(node);
      if (workload === "u3") return { kind: "unavailable", reason: "ca_expired", message: "over" };
      return workload === "u1"
        ? { kind: "issued", chain: [Uint8Array.of(1)], notAfterMs: 0 }
        : { kind: "refused", reason: "workload_on_other_node", message: "not yours" };
    },
  });
  const client = new CertifyClient(
    lineTo(operator.port, "node-a", { self: { node: "node-b", instance: "1" } }),
  );
  toClose.push(() => client.close());
  const { signal } = new AbortController();
  const csr = Uint8Array.of(1, 2, 3);
  expect(await client.certify({ workload: "u1", csr, signal })).toEqual([Uint8Array.of(1)]);
  await expect(client.certify({ workload: "u2", csr, signal })).rejects.toMatchObject({
    reason: "refused",
    refusal: "workload_on_other_node",
  });
  await expect(client.certify({ workload: "u3", csr, signal })).rejects.toMatchObject({
    reason: "overloaded",
    refusal: "ca_expired",
  });
  await expect(
    client.certify({ workload: "u1", csr: new Uint8Array(17_000), signal }),
  ).rejects.toMatchObject({ refusal: "csr_malformed" });
  await expect(
    client.certify({ workload: "u1", csr: new Uint8Array(1_000_000), signal }),
  ).rejects.toMatchObject({ refusal: "message_too_large" });
  expect(new Set(asked)).toEqual(new Set(["node-a"]));
  expect(asked.length).toBe(3);
});

test("join token: compared whole, and the node must name itself properly", async () => {
  const authenticate = createJoinTokenAuthentication(() => "secret-token");
  const authorization = "Bearer secret-token";
  const outcomes = [
    await authenticate({ authorization, "weft-node": "node-a" }),
    await authenticate({ authorization, "weft-node": "Node A" }),
    await authenticate({ authorization }),
    await authenticate({ authorization: "Bearer secret-toke", "weft-node": "node-a" }),
    await authenticate({ "weft-node": "node-a" }),
    await createJoinTokenAuthentication(() => "")({ authorization: "Bearer ", "weft-node": "a" }),
  ];
  expect(outcomes.map((one) => (one.kind === "node" ? one.node : one.reason))).toEqual([
    "node-a",
    "bad_node_name",
    "bad_node_name",
    "bad_token",
    "no_token",
    "no_token",
  ]);
});

type Message = Parameters<typeof create<typeof ConfigureRequestSchema>>[1];

/** What a node that sends these messages is told in the end. */
async function endOf(port: number, messages: readonly Message[]): Promise<string> {
  const connection = await openOperatorLine(lineTo(port), AbortSignal.timeout(60_000));
  const queue = messages.map((message) => create(ConfigureRequestSchema, message));
  const upward = new PulledStream(() => queue.shift());
  try {
    const headers = await connection.headers();
    for await (const _ of connection.client.configure(upward, { headers })) queue.push(...queue);
    return "ended";
  } catch (error) {
    return (error as Error).message;
  } finally {
    upward.end();
    connection.close();
  }
}

test("a node that breaks the protocol is told so, and other streams go on", async () => {
  const { operator, config } = await operatorWith();
  const good = new Node(lineTo(operator.port, "node-b"));
  await good.synced();
  const hello: Message = { message: { case: "hello", value: {} } };
  const names = Array.from({ length: 10_001 }, (_, i) => `n${i}`);
  const ends = [
    await endOf(operator.port, [{}]),
    await endOf(operator.port, [{ message: { case: "report", value: {} } }]),
    await endOf(operator.port, [hello, hello]),
    await endOf(operator.port, [
      hello,
      { message: { case: "acknowledgement", value: { nonce: 7n } } },
    ]),
    await endOf(operator.port, [
      hello,
      { message: { case: "subscription", value: { kind: 1, subscribe: names } } },
    ]),
    await endOf(operator.port, [
      { message: { case: "hello", value: { version: "x".repeat(5_000_000) } } },
    ]),
  ];
  expect(ends).toEqual([
    "[invalid_argument] the first message is not a Hello",
    "[invalid_argument] the first message is not a Hello",
    "[invalid_argument] a second Hello",
    "[invalid_argument] an answer to no batch",
    "[invalid_argument] too many names subscribed",
    expect.stringContaining("[resource_exhausted]"),
  ]);
  config.change([policy("a", "1")]);
  await good.until(() => good.held.size === 1);
  expect(good.states).not.toContain("disconnected");
});

test("bytes that are no protobuf end their stream only", async () => {
  const { operator, config } = await operatorWith();
  const good = new Node(lineTo(operator.port, "node-b"));
  await good.synced();
  const session = connectHttp2(`https://127.0.0.1:${operator.port}`, {
    ca: ca.rootsPem,
    checkServerIdentity: () => undefined,
  });
  const stream = session.request({
    [constants.HTTP2_HEADER_METHOD]: "POST",
    [constants.HTTP2_HEADER_PATH]: "/weft.v1.NodeService/Configure",
    "content-type": "application/grpc+proto",
    authorization: "Bearer node-a",
    te: "trailers",
  });
  const status = new Promise<unknown>((resolve) => {
    stream.once("trailers", (trailers) => resolve(trailers["grpc-status"]));
    stream.once("response", (headers) => headers["grpc-status"] && resolve(headers["grpc-status"]));
  });
  stream.resume();
  stream.write(Buffer.from([0, 0, 0, 0, 4, 0xff, 0xff, 0xff, 0xff]));
  // 13: internal, as connect-es answers what does not parse.
  expect(await status).toBe("13");
  session.destroy();
  config.change([policy("a", "1")]);
  await good.until(() => good.held.size === 1);
});

test("a half-open connection is noticed on both sides, and the node comes back", async () => {
  // A busy machine answers late: a PING that is lost only for that would end the connection before it is frozen.
  const keepAlive = { intervalMs: 100, timeoutMs: 5_000 };
  const gone = firstCall<string>();
  const { operator } = await operatorWith({ keepAlive, onGone: gone.call });
  const relay = await openRelay(operator.port);
  toClose.push(() => relay.close());
  const node = new Node(lineTo(relay.port, "node-a", { keepAlive }));
  await node.synced();
  relay.freeze();
  expect(await gone.promise).toBe("node-a");
  await node.until(() => node.states.includes("disconnected"));
  await node.synced();
  expect(node.batches.length).toBe(2);
});

test("any changes with any disconnects end with the same on both sides", async () => {
  const { operator, config } = await operatorWith();
  const node = new Node(lineTo(operator.port));
  await node.synced();
  const name = fc.constantFrom("a", "b", "c", "d");
  const step = fc.oneof(
    { weight: 5, arbitrary: fc.record({ kind: fc.constant("set"), name }) },
    { weight: 3, arbitrary: fc.record({ kind: fc.constant("remove"), name }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant("disconnect"), name }) },
    { weight: 2, arbitrary: fc.record({ kind: fc.constant("breathe"), name }) },
  );
  let version = 0;
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 30 }), async (steps) => {
      for (const { kind, name: of } of steps) {
        version += 1;
        if (kind === "set") config.change([policy(of, String(version))]);
        else if (kind === "remove") config.change([], [{ kind: "policy", name: `shop/${of}` }]);
        else if (kind === "disconnect") operator.streams.endStreamsOf("pod");
        else await new Promise((resolve) => setImmediate(resolve));
      }
      version += 1;
      const last = policy("last", String(version));
      config.change([last]);
      await node.until(() => node.held.get(refOf(last))?.version === last.version);
      expect(byKey(node.held.all())).toEqual(byKey(config.all()));
    }),
    { numRuns: 30 },
  );
});
