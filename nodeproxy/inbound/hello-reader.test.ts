import { duplexPair } from "node:stream";
import { setImmediate } from "node:timers/promises";
import {
  type ConnectionOptions,
  createSecureContext,
  type SecureContext,
  TLSSocket,
} from "node:tls";
import { expect, test } from "@jest/globals";
import fc from "fast-check";
import {
  extension,
  helloMessage,
  helloOf,
  nameEntry,
  recordsOf,
  serverNames,
  vector,
} from "../../test/fakes/client-hello.ts";
import { createCraftedRoot, uriName } from "../../test/fakes/crafted-ca.ts";
import { type HeardHello, HelloReader, MAX_HELLO_OCTETS } from "./hello-reader.ts";

const UNREADABLE: HeardHello = { kind: "unreadable" };
const GREASE = extension(0x3a3a, Buffer.alloc(0));
const VERSIONS = extension(43, Buffer.from([2, 3, 4]));

function heard(bytes: Buffer): HeardHello | undefined {
  return new HelloReader().take(bytes);
}

function named(serverName: string): HeardHello {
  return { kind: "hello", serverName };
}

const clients: [string, ConnectionOptions, string][] = [
  ["of TLS 1.3", { servername: "api.shop", minVersion: "TLSv1.3" }, "api.shop"],
  ["of TLS 1.2", { servername: "api.shop", maxVersion: "TLSv1.2" }, "api.shop"],
  ["with protocols", { servername: "a.b", ALPNProtocols: ["h2", "http/1.1"] }, "a.b"],
  ["with a key that withstands", { servername: "q", ecdhCurve: "X25519MLKEM768" }, "q"],
  ["with upper case", { servername: "Api.Shop" }, "Api.Shop"],
  [
    "with a long name",
    { servername: `${"a".repeat(63)}.`.repeat(3) },
    `${"a".repeat(63)}.`.repeat(3),
  ],
  ["to nobody by name", {}, ""],
];

for (const [name, options, serverName] of clients) {
  test(`HelloReader: a hello of Node's own client ${name}`, async () => {
    const hello = await helloOf({ ...options, rejectUnauthorized: false });
    expect(heard(hello)).toEqual(named(serverName));
  });
}

test("HelloReader: unknown extensions around the name are nobody's business", () => {
  const unknown = extension(0xfe0d, Buffer.alloc(300, 1));
  const message = helloMessage([GREASE, unknown, serverNames("api.shop"), VERSIONS, GREASE]);
  expect(heard(recordsOf(message))).toEqual(named("api.shop"));
});

test("HelloReader: a hello that ends before extensions, or has none, names nobody", () => {
  expect(heard(recordsOf(helloMessage(undefined)))).toEqual(named(""));
  expect(heard(recordsOf(helloMessage([])))).toEqual(named(""));
  expect(heard(recordsOf(helloMessage([GREASE, VERSIONS])))).toEqual(named(""));
});

test("HelloReader: what comes behind the hello is not looked at", () => {
  const hello = recordsOf(helloMessage([serverNames("a")]));
  expect(heard(Buffer.concat([hello, Buffer.alloc(70_000)]))).toEqual(named("a"));
});

const PLAIN = recordsOf(helloMessage([serverNames("a")]));
const NAME_LIST = Buffer.concat([nameEntry(0, "a")]);

const unreadable: [string, Buffer][] = [
  ["text", Buffer.from("GET / HTTP/1.1\r\nhost: a\r\n\r\n")],
  ["TLS that goes on already", Buffer.from([23, 3, 3, 0, 1, 0])],
  ["an alert", Buffer.from([21, 3, 3, 0, 2, 1, 0])],
  ["a hello of SSL 2", Buffer.from([0x80, 0x2e, 1, 3, 1])],
  ["a record of another major version", Buffer.from([22, 2, 0])],
  ["an empty record", Buffer.concat([Buffer.from([22, 3, 1, 0, 0]), PLAIN])],
  ["a record that is too long", Buffer.from([22, 3, 1, 0x40, 1])],
  ["a ServerHello", recordsOf(Buffer.concat([Buffer.from([2]), vector(3, Buffer.alloc(40))]))],
  ["a message that is too long", recordsOf(Buffer.from([1, 0, 0x40, 0]))],
  [
    "a message that ends early",
    recordsOf(Buffer.concat([Buffer.from([1]), vector(3, Buffer.alloc(20))])),
  ],
  ["two names", recordsOf(helloMessage([serverNames("a", "b")]))],
  ["two lists of names", recordsOf(helloMessage([serverNames("a"), serverNames("b")]))],
  ["the same list twice", recordsOf(helloMessage([serverNames("a"), serverNames("a")]))],
  ["no name in the list", recordsOf(helloMessage([serverNames()]))],
  ["an empty name", recordsOf(helloMessage([serverNames("")]))],
  ["an empty extension", recordsOf(helloMessage([extension(0, Buffer.alloc(0))]))],
  ["a name of another kind", recordsOf(helloMessage([extension(0, vector(2, nameEntry(1, "a")))]))],
  [
    "octets behind the list",
    recordsOf(helloMessage([extension(0, Buffer.concat([vector(2, NAME_LIST), GREASE]))])),
  ],
  ["a name with NUL", recordsOf(helloMessage([serverNames("a\0.b")]))],
  ["a name with a port", recordsOf(helloMessage([serverNames("a:443")]))],
  ["a name with other letters", recordsOf(helloMessage([serverNames("\u00e4.b")]))],
  ["a name that is too long", recordsOf(helloMessage([serverNames("a".repeat(256))]))],
  ["octets behind the extensions", recordsOf(withBehind(helloMessage([serverNames("a")])))],
  ["an extension that ends early", recordsOf(helloMessage([Buffer.from([0, 0, 0, 9, 0])]))],
  ["half an extension", recordsOf(helloMessage([serverNames("a"), Buffer.from([0, 0, 0])]))],
];

function withBehind(message: Buffer): Buffer {
  return Buffer.concat([Buffer.from([1]), vector(3, Buffer.concat([message.subarray(4), GREASE]))]);
}

test.each(unreadable)("HelloReader: %s is not readable", (_, bytes) => {
  expect(heard(bytes)).toEqual(UNREADABLE);
});

test("HelloReader: what is no TLS is known by its first octet, and waits for nothing", () => {
  expect(heard(Buffer.from("G"))).toEqual(UNREADABLE);
  expect(heard(Buffer.from([22]))).toBeUndefined();
  expect(heard(Buffer.from([22, 3]))).toBeUndefined();
  expect(heard(Buffer.alloc(0))).toBeUndefined();
});

test("HelloReader: a hello is read up to its bound, headers of records counted", () => {
  const least = helloMessage([serverNames("a"), extension(21, Buffer.alloc(0))]).length + 5;
  function padded(octets: number): Buffer {
    return helloMessage([serverNames("a"), extension(21, Buffer.alloc(octets - least))]);
  }
  expect(recordsOf(padded(MAX_HELLO_OCTETS))).toHaveLength(MAX_HELLO_OCTETS);
  expect(heard(recordsOf(padded(MAX_HELLO_OCTETS)))).toEqual(named("a"));
  expect(heard(recordsOf(padded(MAX_HELLO_OCTETS + 1)))).toEqual(UNREADABLE);
  // A record for each octet: six times as many.
  expect(heard(recordsOf(padded(2_700), 1))).toEqual(named("a"));
  expect(heard(recordsOf(padded(2_800), 1))).toEqual(UNREADABLE);
});

const cuts = fc.array(fc.integer({ min: 1, max: 400 }), { minLength: 1, maxLength: 60 });
const content = fc.oneof(
  fc.constantFrom(...unreadable.map(([, bytes]) => bytes)),
  fc
    .tuple(fc.domain(), fc.integer({ min: 1, max: 700 }), fc.uint8Array({ maxLength: 2_000 }))
    .map(([name, octets, more]) =>
      recordsOf(
        helloMessage([GREASE, extension(51, Buffer.from(more)), serverNames(name)]),
        octets,
      ),
    ),
  fc.uint8Array({ maxLength: 40 }).map((bytes) => Buffer.from(bytes)),
);

test("HelloReader: it tells the same however the octets are cut, and nothing else meanwhile", () => {
  fc.assert(
    fc.property(content, cuts, (bytes, sizes) => {
      const whole = heard(bytes);
      const reader = new HelloReader();
      let told: HeardHello | undefined;
      for (let at = 0, i = 0; at < bytes.length; i += 1) {
        const size = sizes[i % sizes.length] ?? 1;
        told = reader.take(bytes.subarray(at, at + size));
        at += size;
        expect([undefined, whole]).toContainEqual(told);
      }
      expect(told).toEqual(whole);
    }),
  );
});

/** What a server of Node's is told that its caller named, by these octets; `undefined` where it answers with no hello. */
async function servedName(bytes: Buffer, context: SecureContext): Promise<string | undefined> {
  const [near, far] = duplexPair();
  let named: string | undefined;
  let answered: string | undefined;
  const server = new TLSSocket(far, {
    isServer: true,
    secureContext: context,
    SNICallback: (name, answer) => {
      named = name;
      answer(null, context);
    },
  });
  const over = new AbortController();
  server.on("error", () => over.abort());
  near
    .on("error", () => undefined)
    .on("data", (chunk: Buffer) => {
      over.abort();
      if (chunk[0] === 22) answered = named ?? "";
    });
  near.write(bytes);
  for (let turns = 0; turns < 20 && !over.signal.aborted; turns += 1) await setImmediate();
  server.destroy();
  near.destroy();
  return answered;
}

test("HelloReader: no server is told another name than is heard here, whatever was changed in the hello", async () => {
  const { chainPem, keyPem } = createCraftedRoot().issue({ names: [uriName("spiffe://a/b")] });
  const context = createSecureContext({ cert: chainPem, key: keyPem });
  const seeds = await Promise.all(
    clients.map(([, options]) => helloOf({ ...options, rejectUnauthorized: false })),
  );
  const change = fc.tuple(fc.nat(), fc.integer({ min: 0, max: 255 }));
  let served = 0;
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom(...seeds),
      fc.array(change, { maxLength: 2 }),
      async (seed, changes) => {
        const bytes = Buffer.from(seed);
        for (const [at, octet] of changes) bytes[at % bytes.length] = octet;
        const name = await servedName(bytes, context);
        if (name === undefined) return;
        served += 1;
        expect([named(name), UNREADABLE]).toContainEqual(heard(bytes));
      },
    ),
    { numRuns: 400 },
  );
  expect(served).toBeGreaterThan(40);
});
