/**
 * All open configuration streams: which node's pod has which, and when each must end.
 *
 * A newer stream of the same node proxy closes the older one (its connection may be half open). Two
 * of one node may both have a stream, as they do while one upgrades the other: what the older one still carries
 * follows policy to its end.
 */
import { Code, ConnectError } from "@connectrpc/connect";
import type { NodeReport } from "../../core/model/node-report.ts";
import type { Changes } from "../../core/model/resource.ts";
import type { Log } from "../../core/process/log.ts";
import type { ConfigureRequest, ConfigureResponse } from "../../core/wire/gen/weft/v1/node_pb.ts";
import type { NodePeer } from "./authenticate.ts";
import { type Applied, type BatchStep, ConfigSession } from "./config-session.ts";
import { Speakers, type Voice } from "./speakers.ts";

/** Old and new pod of an upgrade, and one more in between. */
const MAX_STREAMS_A_NODE = 3;
/** setTimeout's own limit, about 24 days. */
const MAX_TIMER_MS = 2_147_483_647;

/** Against the protocol, too large, not protobuf. */
const BROKEN: ReadonlySet<Code> = new Set([
  Code.InvalidArgument,
  Code.ResourceExhausted,
  Code.Internal,
]);

/** The first call of `onChange` delivers everything as upserts, at once or soon. Returns how to stop. */
export type WatchNodeConfig = (node: string, onChange: (changes: Changes) => void) => () => void;

export interface ConfigStreamsOptions {
  readonly watchNodeConfig: WatchNodeConfig;
  /** The pod ends and another node proxy's lives on its node: what it says does not count any more. */
  readonly isSuperseded?: (podUid: string) => boolean;
  /** After the Hello and after each answer of the node; of two streams of a node only the speaker's, as with reports. */
  readonly onApplied: (peer: NodePeer, applied: Applied) => void;
  readonly onReport: (peer: NodePeer, report: NodeReport) => void;
  /** The last stream that speaks for the node has ended. */
  readonly onGone: (node: string) => void;
  readonly counts?: StreamCounts;
  readonly log: Log;
  readonly now: () => number;
}

/** For metrics. */
export interface StreamCounts {
  countStream(): void;
  countBatch(step: BatchStep): void;
}

interface Open {
  readonly peer: NodePeer;
  readonly voice: Voice;
  readonly session: ConfigSession;
  readonly ended: Promise<void>;
}

export class ConfigStreams {
  readonly #options: ConfigStreamsOptions;
  /** Oldest first. */
  readonly #open = new Set<Open>();
  readonly #speakers: Speakers;
  #isClosing = false;

  constructor(options: ConfigStreamsOptions) {
    this.#options = options;
    this.#speakers = new Speakers({ isSuperseded: () => false, ...options });
  }

  get size(): number {
    return this.#open.size;
  }

  /** Carries one stream to its end. `signal` aborts when the node is gone. */
  async *carry(
    peer: NodePeer,
    requests: AsyncIterable<ConfigureRequest>,
    signal: AbortSignal,
  ): AsyncGenerator<ConfigureResponse, void, undefined> {
    if (this.#isClosing) throw new ConnectError("the operator is stopping", Code.Unavailable);
    this.#options.counts?.countStream();
    this.#makeRoomFor(peer);
    const voice = this.#speakers.add(peer);
    const session = this.#openSession(peer, voice);
    const { promise: ended, resolve: end } = Promise.withResolvers<void>();
    const open: Open = { peer, voice, session, ended };
    this.#open.add(open);
    const expiry = this.#closeAtExpiry(open);
    function onAbort(): void {
      session.close();
    }
    signal.addEventListener("abort", onAbort);
    if (signal.aborted) onAbort();
    void this.#listen(open, requests);
    try {
      yield* session.responses;
    } finally {
      clearTimeout(expiry);
      signal.removeEventListener("abort", onAbort);
      session.close();
      this.#open.delete(open);
      voice.end();
      end();
    }
  }

  /** Pods of node proxies have come, gone or begun to end. */
  reviewSpeakers(): void {
    this.#speakers.review();
  }

  /** Nodes with a stream that is open here. */
  get nodes(): number {
    return new Set([...this.#open].map(({ peer }) => peer.node)).size;
  }

  /** The pod is gone, and with it what its token stood for. */
  endStreamsOf(podUid: string): void {
    for (const { peer, session } of this.#open) {
      if (peer.podUid === podUid) {
        session.close(new ConnectError("the pod of the token is gone", Code.Unauthenticated));
      }
    }
  }

  /** Tells every node to come back elsewhere; resolves once all streams have ended. */
  async close(): Promise<void> {
    this.#isClosing = true;
    const all = [...this.#open];
    for (const { session } of all) {
      session.close(new ConnectError("the operator is stopping", Code.Unavailable));
    }
    await Promise.all(all.map(({ ended }) => ended));
  }

  #openSession(peer: NodePeer, voice: Voice): ConfigSession {
    const { watchNodeConfig, counts, log } = this.#options;
    const { node } = peer;
    return new ConfigSession({
      node,
      watch: (onChange) => watchNodeConfig(node, onChange),
      onApplied: (applied) => voice.apply(applied),
      onReport: (report) => voice.report(report),
      onBatch: (step) => counts?.countBatch(step),
      onReportRefused: (reasons) => log.warn({ node, reasons }, "node report refused"),
    });
  }

  async #listen({ peer, session }: Open, requests: AsyncIterable<ConfigureRequest>): Promise<void> {
    try {
      for await (const request of requests) session.receive(request);
      session.close();
    } catch (error) {
      const failure = ConnectError.from(error);
      const { node } = peer;
      // A node that is gone aborts its stream; only what it did wrong is worth a line.
      if (BROKEN.has(failure.code)) {
        this.#options.log.warn({ node, err: failure.rawMessage }, "node stream refused");
      }
      session.close(failure);
    }
  }

  #makeRoomFor(peer: NodePeer): void {
    const ofNode = [...this.#open].filter((open) => open.peer.node === peer.node);
    const same = ofNode.filter((open) => isSameProxy(open.peer, peer));
    const others = ofNode.filter((open) => !isSameProxy(open.peer, peer));
    const tooMany = others.length - (MAX_STREAMS_A_NODE - 1);
    for (const { session } of [...same, ...others.slice(0, Math.max(0, tooMany))]) {
      session.close(new ConnectError("a newer stream of this node is open", Code.Aborted));
    }
  }

  #closeAtExpiry({ peer, session }: Open): NodeJS.Timeout | undefined {
    const lifeMs = peer.expiresAtMs - this.#options.now();
    if (lifeMs > MAX_TIMER_MS) return undefined;
    return setTimeout(
      () => {
        session.close(new ConnectError("the token has expired", Code.Unauthenticated));
      },
      Math.max(0, lifeMs),
    );
  }
}

function isSameProxy(a: NodePeer, b: NodePeer): boolean {
  return a.podUid === b.podUid && a.instance === b.instance;
}
