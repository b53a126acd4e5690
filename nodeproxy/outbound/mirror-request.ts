/**
 * Sends a copy of a request that is whole to another Service and throws the answer away: nothing of it reaches the
 * caller, and nothing waits for it. Once, never again. Its connections are the pod's, its line in the log its own.
 *
 * HTTP/1 only. Bounded in size, in number and in time: what is beyond is not mirrored, and the log says so.
 */
import type { Lease } from "../flow/connection-facts.ts";
import { PodSlots } from "../flow/pod-slots.ts";
import { HTTP_LIMITS, type HttpLimits } from "../http/http-limits.ts";
import type { Back, BackUser, Reaching } from "../http/http1-back.ts";
import { BodyFlow } from "../http/http1-body-flow.ts";
import { CHUNKED, type Framing, NO_BODY } from "../http/http1-framing.ts";
import { requestText } from "../http/http1-head-text.ts";
import type { Response } from "../http/http1-response.ts";
import { ResponseReader } from "../http/http1-response-reader.ts";
import type { FieldLines, RequestHead } from "../http/message.ts";
import { admitMirror } from "./admit-request.ts";
import { serviceNameOf } from "./open-for-request.ts";
import type { OutboundPod } from "./outbound-pod.ts";
import { OutboundRequest, type RequestCaller, type SentRequest } from "./outbound-request.ts";
import { reportRequest } from "./request-facts.ts";
import type { HttpCall, RoutedRequest } from "./route-request.ts";

/** Of each pod, in flight in this thread: with bodies of 64 KiB no more than 8 MiB. */
const MAX_MIRRORS = 128;
/** From the request's end to the answer's, where the route says nothing. */
const TIMEOUT_MS = 15_000;
/** Of an answer that nobody wants; a connection with more to come is worth less than its octets. */
const ANSWER_OCTETS = 1 << 20;
/** Of the caller or of the mirror. */
const VERSION = "mirror_version_unsupported";
const LIMITS: HttpLimits = { ...HTTP_LIMITS, headTimeoutMs: TIMEOUT_MS };

type UnguardedRequest = Omit<SentRequest, "guard">;

/** What is to be sent, told to hand its body on where it has mirrors. Changes of protocol have no copy. */
export function withMirrors(caller: RequestCaller, routed: RoutedRequest): UnguardedRequest {
  const { mirrors, head } = routed;
  if (mirrors.length === 0 || head.upgrade !== "") return routed;
  if (routed.version !== "http1") {
    for (const to of mirrors) notSent(caller, mirrorOf(caller, routed, to), VERSION);
    return routed;
  }
  return {
    ...routed,
    onWhole: (body) => {
      for (const to of mirrors) mirror(caller, { ...mirrorOf(caller, routed, to), body });
    },
  };
}

/** `body`: `undefined` where it was too large to keep. */
type Mirrored = UnguardedRequest & { readonly body: readonly Buffer[] | undefined };

/** As the first went, but to another place, and with what its route says of tries not heard. */
function mirrorOf(
  { pod }: RequestCaller,
  { head, rule }: RoutedRequest,
  to: HttpCall,
): UnguardedRequest {
  const fields = without(head.fields, "expect");
  const copy = { ...head, fields };
  return {
    kind: "forward",
    rule: rule && { ...rule, retry: undefined, backendTimeoutMs: 0 },
    call: to,
    version: to.version,
    // With a span of its own, below that of the request.
    head: pod.tracer()?.begin(copy) ?? copy,
    mirrors: [],
    changeResponse: undefined,
    isMirror: true,
  };
}

function mirror(caller: RequestCaller, { body, ...sent }: Mirrored): void {
  if (sent.version !== "http1") notSent(caller, sent, VERSION);
  else if (!body) notSent(caller, sent, "mirror_body_too_large");
  else {
    const lease = slotsOf(caller.pod).take();
    if (lease) begin(caller, sent, { body, lease });
    else notSent(caller, sent, "mirrors_exhausted");
  }
}

function begin(caller: RequestCaller, sent: UnguardedRequest, copy: Copy): void {
  const { call, head, rule } = sent;
  const guard = admitMirror(caller.pod, { call, method: head.method, rule });
  if (typeof guard === "string") {
    copy.lease.end();
    notSent(caller, sent, guard);
    return;
  }
  // What the caller waits for goes first.
  setImmediate(() => new MirrorRequest(caller, { ...sent, guard }, copy).begin());
}

function notSent(
  caller: RequestCaller,
  { call, head, rule }: UnguardedRequest,
  code: string,
): void {
  const place = {
    service: serviceNameOf(call),
    upstream: undefined,
    rule,
    isMirror: true as const,
  };
  const outcome = { code, status: 0, requestBytes: 0, responseBytes: 0, durationMs: 0 };
  reportRequest(caller, head, { ...place, sinceMs: Date.now(), outcome });
}

/** By what counts the pod's connections, which is its own from first to last. */
const inFlight = new WeakMap<PodSlots, PodSlots>();

function slotsOf({ ownSlots }: OutboundPod): PodSlots {
  const known = inFlight.get(ownSlots);
  if (known) return known;
  const slots = new PodSlots(MAX_MIRRORS);
  inFlight.set(ownSlots, slots);
  return slots;
}

interface Copy {
  readonly body: readonly Buffer[];
  readonly lease: Lease;
}

class MirrorRequest implements BackUser {
  readonly #way: OutboundRequest;
  readonly #head: RequestHead;
  readonly #copy: Copy;
  readonly #octets: number;
  readonly #sinceMs = performance.now();
  readonly #heads: ResponseReader;
  readonly #timer: NodeJS.Timeout;
  #reaching: Reaching | undefined;
  #back: Back | undefined;
  #reply: Response | undefined;
  #answer: BodyFlow | undefined;
  #isDirty = false;
  #isOver = false;

  constructor(caller: RequestCaller, sent: SentRequest, copy: Copy) {
    this.#way = new OutboundRequest(caller, sent.head, sent);
    this.#head = sent.head;
    this.#copy = copy;
    this.#octets = copy.body.reduce((sum, { length }) => sum + length, 0);
    this.#heads = new ResponseReader(sent.head, LIMITS);
    const timeoutMs = this.#way.requestTimeoutMs || TIMEOUT_MS;
    this.#timer = setTimeout(() => this.#fail("request_timeout"), timeoutMs).unref();
  }

  begin(): void {
    this.#reaching = this.#way.reach(this);
  }

  onReady(back: Back): void {
    const { line } = back;
    if (this.#isOver || !line) return;
    this.#back = back;
    line.put(requestText(this.#head, framingFor(this.#head.method, this.#octets)));
    for (const piece of this.#copy.body) line.put(piece);
    line.flush();
  }

  onUnreachable(code: string): void {
    this.#fail(code);
  }

  onBytes(chunk: Buffer): number {
    if (this.#isOver) return chunk.length;
    const answer = this.#answer;
    if (!answer) return this.#takeHeadBytes(chunk);
    const taken = answer.take(chunk);
    if (answer.hasFailed) this.#fail("upstream_response_invalid");
    else if (answer.octets > ANSWER_OCTETS) this.#giveUp();
    else if (taken > 0) return taken;
    this.#isDirty = true;
    return chunk.length;
  }

  onTurnEnd(): void {
    if (!this.#isOver && this.#answer?.isDone) this.#complete();
  }

  onFarEnd(): void {
    if (this.#isOver) return;
    if (this.#answer?.endWithConnection()) this.#complete();
    else this.#fail("upstream_reset");
  }

  /** Nothing is held up by what it writes. */
  onRoom(): void {}

  onGone(): void {
    this.#fail("upstream_reset");
  }

  #takeHeadBytes(chunk: Buffer): number {
    const taken = this.#heads.read(chunk);
    const response = this.#heads.take();
    if (response === "invalid") this.#fail("upstream_response_invalid");
    else if (response && response.head.status >= 200) {
      this.#reply = response;
      // To nobody.
      const route = { from: response.framing, to: CHUNKED, line: undefined };
      this.#answer = new BodyFlow(route, LIMITS);
    }
    return this.#isOver ? chunk.length : taken;
  }

  #complete(): void {
    this.#end("");
    this.#back?.finish(this.#isDirty ? undefined : this.#reply);
  }

  /** It was sent and answered: more of the answer is not worth reading. */
  #giveUp(): void {
    const back = this.#back;
    this.#end("");
    back?.drop();
  }

  #fail(code: string): void {
    if (this.#isOver) return;
    (this.#back ?? this.#reaching)?.drop();
    this.#end(code);
  }

  #end(code: string): void {
    this.#isOver = true;
    clearTimeout(this.#timer);
    this.#heads.release();
    this.#answer?.release();
    this.#copy.lease.end();
    this.#way.done({
      code,
      status: this.#reply?.head.status ?? 0,
      requestBytes: this.#back ? this.#octets : 0,
      responseBytes: this.#answer?.octets ?? 0,
      durationMs: performance.now() - this.#sinceMs,
    });
  }
}

/** RFC 9110 8.6: an empty body is told of where the method means one. Trailers have no copy. */
function framingFor(method: string, octets: number): Framing {
  const isMeant = octets > 0 || method === "POST" || method === "PUT" || method === "PATCH";
  return isMeant ? { kind: "length", octets } : NO_BODY;
}

function without(fields: FieldLines, name: string): FieldLines {
  if (!fields.includes(name)) return fields;
  return fields.filter((_, i) => fields[i - (i % 2)] !== name);
}
