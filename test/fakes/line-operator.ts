/**
 * The operator's end of the line over real TLS on loopback, with configuration, tokens and leaves
 * that the test decides. Everything between is the real thing.
 */
import { createPrivateKey, createPublicKey, generateKeyPairSync, randomBytes } from "node:crypto";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import { pino } from "pino";
import type { NodeReport } from "../../core/model/node-report.ts";
import {
  type Changes,
  type Resource,
  type ResourceRef,
  resourceKey,
} from "../../core/model/resource.ts";
import type { KeepAlive } from "../../core/process/keep-alive.ts";
import type { Log } from "../../core/process/log.ts";
import { refOf } from "../../core/wire/decode-changes.ts";
import { parseCertificate } from "../../core/x509/parse-certificate.ts";
import { formatCertificatesPem, parseCertificatesPem } from "../../core/x509/pem.ts";
import {
  createSerial,
  EMPTY_NAME,
  keyIdentifier,
  signCertificate,
} from "../../core/x509/sign-certificate.ts";
import { createRoot } from "../../operator/ca/root.ts";
import {
  type Authenticate,
  createTokenAuthentication,
  type NodePeer,
  type ReviewToken,
} from "../../operator/distribute/authenticate.ts";
import { Certifier, type Issue } from "../../operator/distribute/certify.ts";
import type { Applied } from "../../operator/distribute/config-session.ts";
import { ConfigStreams } from "../../operator/distribute/config-streams.ts";
import {
  type NodeServer,
  openNodeServer,
  type ServerIdentity,
} from "../../operator/distribute/server.ts";

export const OPERATOR = "spiffe://cluster.local/ns/weft-system/sa/weft-operator";
export const silent: Log = pino({ level: "silent" });

/** A root and a way to make the operator's certificate from it. */
export class LineCa {
  readonly #root = createRoot("cluster.local", Date.now());
  readonly rootsPem = this.#root.rootsPem;

  identity(uri: string = OPERATOR): ServerIdentity {
    const pem = parseCertificatesPem(this.#root.certificatesPem);
    const der = pem.kind === "parsed" ? pem.certificates[0] : undefined;
    const root = der && parseCertificate(der);
    if (root?.kind !== "parsed") throw new Error("the root does not parse");
    const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
    const publicKey = createPublicKey(privateKey).export({ format: "der", type: "spki" });
    const rootKeyId = keyIdentifier(root.certificate.publicKey);
    const leaf = signCertificate(
      {
        serial: createSerial(randomBytes(16)),
        issuer: root.certificate.subject,
        subject: EMPTY_NAME,
        notBeforeMs: Date.now() - 60_000,
        notAfterMs: Date.now() + 3_600_000,
        publicKey,
        subjectKeyId: keyIdentifier(publicKey),
        authorityKeyId: rootKeyId,
        usage: "leaf",
        names: { uris: [uri], dnsNames: [], ipAddresses: [] },
      },
      createPrivateKey(this.#root.keyPem),
    );
    return {
      chainPem: formatCertificatesPem([leaf]),
      keyPem: privateKey.export({ format: "pem", type: "pkcs8" }).toString(),
    };
  }
}

/** What the operator wants each node to hold; survives a restart of the operator. */
export class LineConfig {
  readonly #resources = new Map<string, Resource>();
  readonly #watchers = new Set<(changes: Changes) => void>();

  get watchers(): number {
    return this.#watchers.size;
  }

  all(): readonly Resource[] {
    return [...this.#resources.values()];
  }

  change(upserts: readonly Resource[], removals: readonly ResourceRef[] = []): void {
    for (const ref of removals) this.#resources.delete(resourceKey(ref));
    for (const one of upserts) this.#resources.set(resourceKey(refOf(one)), one);
    for (const watcher of this.#watchers) watcher({ upserts, removals });
  }

  watch(onChange: (changes: Changes) => void): () => void {
    this.#watchers.add(onChange);
    onChange({ upserts: this.all(), removals: [] });
    return () => void this.#watchers.delete(onChange);
  }
}

export interface LineOperatorOptions {
  readonly config: LineConfig;
  readonly identity: ServerIdentity;
  readonly port?: number;
  readonly review?: ReviewToken;
  /** In place of `review`. */
  readonly authenticate?: Authenticate;
  readonly issue?: Issue;
  readonly onApplied?: (peer: NodePeer, applied: Applied) => void;
  readonly onReport?: (report: NodeReport) => void;
  readonly onGone?: (node: string) => void;
  readonly keepAlive?: KeepAlive;
}

export interface LineOperator extends NodeServer {
  readonly streams: ConfigStreams;
}

/** A token is the node's name, and `name@pod` the one of a certain pod; "bad" is refused. */
export async function reviewByName(token: string): ReturnType<ReviewToken> {
  if (token === "bad") return { kind: "refused", reason: "not ours" };
  const [node = "", podUid = "pod"] = token.split("@");
  return { kind: "node", node, podUid, expiresAtMs: Date.now() + 3_600_000 };
}

export async function openLineOperator(options: LineOperatorOptions): Promise<LineOperator> {
  const { config, identity, port = 0, review = reviewByName, issue = issueNothing } = options;
  const streams = new ConfigStreams({
    watchNodeConfig: (_, onChange) => config.watch(onChange),
    onApplied: options.onApplied ?? ignore,
    onReport: (_, report) => options.onReport?.(report),
    onGone: options.onGone ?? ignore,
    log: silent,
    now: Date.now,
  });
  const server = await openNodeServer({
    listen: { host: "127.0.0.1", port },
    identity,
    authenticate: options.authenticate ?? createTokenAuthentication({ review, now: Date.now }),
    streams,
    certifier: new Certifier({ issue, now: Date.now, onOutcome: ignore }),
    log: silent,
    ...(options.keepAlive && { keepAlive: options.keepAlive }),
  });
  return { ...server, streams };
}

function issueNothing(): ReturnType<Issue> {
  return { kind: "refused", reason: "workload_unknown", message: "no such pod" };
}

function ignore(): void {
  // The test does not ask.
}

export interface Relay {
  readonly port: number;
  /** No byte passes any more, and no FIN: both ends are half open. */
  freeze(): void;
  close(): Promise<void>;
}

/** A TCP relay on loopback towards `target`, at `port` again where there was one before. */
export async function openRelay(target: number, port = 0): Promise<Relay> {
  const sockets = new Set<Socket>();
  const server = createServer({ allowHalfOpen: true }, (near) => {
    const far = connect({ port: target, host: "127.0.0.1", allowHalfOpen: true });
    for (const socket of [near, far]) {
      sockets.add(socket);
      socket.on("error", ignore);
    }
    near.pipe(far).pipe(near);
  });
  await new Promise<void>((resolve) => server.listen(port, "127.0.0.1", resolve));
  return {
    port: (server.address() as AddressInfo).port,
    freeze: () => {
      for (const socket of sockets) socket.unpipe().pause();
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        for (const socket of sockets) socket.destroy();
      }),
  };
}
