/**
 * Sends a copy of a request that is whole to another Service and throws the answer away: nothing of it reaches the
 * caller, and nothing waits for it. Once, never again. Its connections are the pod's, its line in the log its own.
 *
 * By the version of HTTP that its port speaks, whatever the caller speaks. Bounded in size, in number and in time: what
 * is beyond is not mirrored, and the log says so.
 */
import { PodSlots } from "../flow/pod-slots.ts";
import type { FieldLines } from "../http/message.ts";
import { admitMirror } from "./admit-request.ts";
import { Http1Mirror } from "./http1-mirror.ts";
import { Http2Mirror } from "./http2-mirror.ts";
import type { MirrorCopy } from "./mirror-copy.ts";
import { serviceNameOf } from "./open-for-request.ts";
import type { OutboundPod } from "./outbound-pod.ts";
import type { RequestCaller, SentRequest } from "./outbound-request.ts";
import { reportRequest } from "./request-facts.ts";
import type { HttpCall, RoutedRequest } from "./route-request.ts";

/** Of each pod, in flight in this thread: with bodies of 64 KiB no more than 8 MiB. */
const MAX_MIRRORS = 128;

type UnguardedRequest = Omit<SentRequest, "guard">;

/** What is to be sent, told to hand its body on where it has mirrors. Changes of protocol have no copy. */
export function withMirrors(caller: RequestCaller, routed: RoutedRequest): UnguardedRequest {
  const { mirrors, head } = routed;
  if (mirrors.length === 0 || head.upgrade !== "") return routed;
  return {
    ...routed,
    onWhole: (body, secret) => {
      for (const to of mirrors) mirror(caller, { ...mirrorOf(caller, routed, to), body, secret });
    },
  };
}

/** `body`: `undefined` where it was too large to keep. */
interface Mirrored extends UnguardedRequest {
  readonly body: readonly Buffer[] | undefined;
  readonly secret: readonly string[] | undefined;
}

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

function mirror(caller: RequestCaller, { body, secret, ...sent }: Mirrored): void {
  if (!body) notSent(caller, sent, "mirror_body_too_large");
  else {
    const lease = slotsOf(caller.pod).take();
    if (lease) begin(caller, sent, { body, secret, lease });
    else notSent(caller, sent, "mirrors_exhausted");
  }
}

function begin(caller: RequestCaller, sent: UnguardedRequest, copy: MirrorCopy): void {
  const { call, head, rule } = sent;
  const guard = admitMirror(caller.pod, { call, method: head.method, rule });
  if (typeof guard === "string") {
    copy.lease.end();
    notSent(caller, sent, guard);
    return;
  }
  // What the caller waits for goes first.
  const Mirror = sent.version === "http2" ? Http2Mirror : Http1Mirror;
  setImmediate(() => new Mirror(caller, { ...sent, guard }, copy).begin());
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

function without(fields: FieldLines, name: string): FieldLines {
  if (!fields.includes(name)) return fields;
  return fields.filter((_, i) => fields[i - (i % 2)] !== name);
}
