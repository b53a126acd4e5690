/**
 * Carries one inbound attempt to the pod: decide, dial, splice. One attempt's failure stays its own.
 *
 * The one place on the inbound side that turns an error into a code for the log and an answer for the
 * caller, who gets the kind of failure and never our words.
 */
import { ipBytes } from "../../core/model/ip.ts";
import type { Attempt } from "../authz/attempt.ts";
import type { Decision, Permit } from "../authz/decide.ts";
import type { Question } from "../ext-authz/check-message.ts";
import type { ConnectionFacts, Lease, Party } from "../flow/connection-facts.ts";
import { type Side, type TcpSide, unwatchGone, watchGone } from "../flow/side.ts";
import type { Opening } from "../flow/splice.ts";
import type { VerifiedPeer } from "../identity/verify-peer.ts";
import { dial } from "../tcp/dial.ts";
import { dialCode } from "../tcp/dial-code.ts";
import { askFirst, openQuestion, withUnknown } from "./ask-first.ts";
import { refusalOf, watchedFacts } from "./decision-facts.ts";
import { type Heard, hearHello } from "./hear-hello.ts";
import { HeardCall } from "./heard-call.ts";
import { httpVersionAt } from "./http-version-at.ts";
import type { InboundPod } from "./inbound-pod.ts";
import { serveHttpCall } from "./serve-http-call.ts";

const CONNECT_TIMEOUT_MS = 10_000;

export type CarryFailure = "denied" | "unreachable";

export interface InboundCall {
  readonly pod: InboundPod;
  /** The caller's side: paused, with nothing read but the opening. */
  readonly front: Side;
  readonly opening?: Opening;
  readonly peer: VerifiedPeer | undefined;
  readonly sourceAddress: string;
  readonly sourcePort: number;
  /** The pod's own address and the port asked for. */
  readonly address: string;
  readonly port: number;
  /** Says yes to the caller (tunnels: 200), just before the first byte. */
  answer(): void;
  /** Says no; `report` has been made. Owns the front again. */
  refuse(failure: CarryFailure): void;
}

/** Decides and carries. Never throws. */
export function carryIn(call: InboundCall): void {
  const { pod } = call;
  const facts = factsOf(call);
  const version = httpVersionAt(pod.enrolment(), call.port);
  if (version !== undefined) {
    serveHttpCall(call, { facts, version, question: questionOf(call, facts) });
    return;
  }
  if (pod.enrolment()?.tlsPorts?.includes(call.port)) {
    hearFirst(call, facts);
    return;
  }
  const decision = pod.judge.decide(pod.uid, facts.attempt);
  const isOpen = openQuestion(decision.verdict) !== undefined;
  if (decision.verdict.kind === "deny" && !isOpen) {
    refuse(call, facts, decision);
    return;
  }
  const slot = pod.slots.take();
  if (!slot) {
    pod.connections.report(watchedFacts(facts, decision), { code: "pod_connections_exhausted" });
    call.refuse("unreachable");
    return;
  }
  if (isOpen) void carryAsked(call, { ...facts, lease: slot });
  else carryDecided(call, decision, { ...facts, lease: slot });
}

/**
 * Where policies want to know which server the caller's TLS names, it is answered before they are asked: it says
 * nothing before. Stopping waits for it as for a dial.
 */
function hearFirst(call: InboundCall, facts: Attempted): void {
  const { connections, judge, slots, uid } = call.pod;
  const denial = judge.admit(uid, facts.attempt);
  const lease = denial ? undefined : slots.take();
  if (!lease) {
    connections.report(facts, denial ? refusalOf(denial) : { code: "pod_connections_exhausted" });
    call.refuse(denial ? "denied" : "unreachable");
    return;
  }
  connections.dialBegun();
  call.answer();
  hearHello(call.front, (heard) => {
    carryHeard(call, { ...facts, lease }, heard);
    connections.dialEnded();
  });
}

function carryHeard(call: InboundCall, facts: Leased & Attempted, heard: Heard | undefined): void {
  const { connections, judge, uid } = call.pod;
  if (!heard) {
    facts.lease.end();
    connections.report(facts, { code: "caller_gone" });
    return;
  }
  const { sni, opening } = heard;
  const attempt = { ...facts.attempt, ...(sni === undefined ? {} : { sni }) };
  const told = { ...facts, attempt };
  const heardCall = new HeardCall(call, opening);
  const decision = judge.decide(uid, attempt);
  if (openQuestion(decision.verdict) === undefined) carryDecided(heardCall, decision, told);
  else void carryAsked(heardCall, told);
}

function carryDecided(call: InboundCall, decision: Decision, facts: Leased): void {
  if (decision.verdict.kind === "permit") {
    dialPod(call, decision.verdict.permit, watchedFacts(facts, decision));
    return;
  }
  facts.lease.end();
  refuse(call, facts, decision);
}

/** After those were asked whom CUSTOM policies ask. Stopping waits for them as for a dial. */
async function carryAsked(call: InboundCall, facts: Leased & Attempted): Promise<void> {
  const { pod, front } = call;
  const { connections } = pod;
  connections.dialBegun();
  const { decision, attempt, asked } = await askFirst(pod, facts.attempt, questionOf(call, facts));
  const told = { ...facts, attempt, asked };
  if (front.destroyed) {
    facts.lease.end();
    connections.report(watchedFacts(told, decision), { code: "caller_gone" });
  } else carryDecided(call, decision, told);
  connections.dialEnded();
}

function questionOf(call: InboundCall, facts: ConnectionFacts): Question {
  const source = { address: call.sourceAddress, port: call.sourcePort };
  const destination = { address: call.address, port: call.port };
  return {
    source: { ...source, principal: facts.source.identity },
    destination: { ...destination, principal: facts.destination.identity },
    atMs: facts.sinceMs,
  };
}

function refuse(call: InboundCall, facts: ConnectionFacts, decision: Decision): void {
  const { verdict } = decision;
  const { connections, judge } = call.pod;
  const refusal = verdict.kind === "deny" ? refusalOf(verdict) : { code: "" };
  const asked = withUnknown(facts.asked, verdict, judge);
  const told = asked ? { ...facts, asked } : facts;
  connections.report(watchedFacts(told, decision), refusal);
  call.refuse("denied");
}

interface Leased extends ConnectionFacts {
  readonly lease: Lease;
}

export interface Attempted extends ConnectionFacts {
  readonly attempt: Attempt;
}

/** The facts and the attempt of a call, for the decision, the recheck and the log. */
export function factsOf(call: InboundCall): Attempted {
  const { pod, peer, sourceAddress, address, port } = call;
  const to = endpointText(address, port);
  const source = pod.partyAt(sourceAddress);
  return {
    direction: "inbound",
    sinceMs: Date.now(),
    pod: pod.uid,
    source: withIdentity(source, peer?.uri ?? ""),
    sourceAddress: endpointText(sourceAddress, call.sourcePort),
    destination: pod.party(),
    destinationAddress: to,
    upstreamAddress: to,
    service: "",
    tunnelled: peer !== undefined,
    attempt: {
      ...(peer ? { peer: peer.identity } : {}),
      sourceIp: ipBytes(sourceAddress) ?? [],
      destinationIp: ipBytes(address) ?? [],
      destinationPort: port,
    },
  };
}

/** Proven, not looked up by address. */
function withIdentity(party: Party, identity: string): Party {
  return party.identity === identity ? party : { ...party, identity };
}

function endpointText(address: string, port: number): string {
  return address.includes(":") ? `[${address}]:${port}` : `${address}:${port}`;
}

function dialPod(call: InboundCall, permit: Permit, facts: Leased): void {
  const { pod, front, address, port } = call;
  let back: TcpSide;
  let isSettled = false;
  try {
    const fd = pod.openSocket(address.includes(":") ? 6 : 4, call.sourceAddress);
    back = dial({ fd, address, port }, (code) => {
      if (code === undefined) onConnected();
      else fail(dialCode(code));
    });
  } catch (error) {
    facts.lease.end();
    pod.connections.report(facts, { code: dialCode((error as NodeJS.ErrnoException).code) });
    call.refuse("unreachable");
    return;
  }
  pod.connections.dialBegun();
  const timeout = setTimeout(fail, CONNECT_TIMEOUT_MS, "connect_timeout");
  watchGone(front, onFrontGone);
  function fail(code: string): void {
    if (isSettled) return;
    isSettled = true;
    clearTimeout(timeout);
    facts.lease.end();
    pod.connections.report(facts, { code });
    pod.connections.dialEnded();
    back.destroy();
    if (!front.destroyed) call.refuse("unreachable");
  }
  function onFrontGone(): void {
    fail("caller_gone");
  }
  function onConnected(): void {
    if (isSettled) return;
    isSettled = true;
    clearTimeout(timeout);
    unwatchGone(front, onFrontGone);
    // Between the decision and now the policies may have changed, and only open connections are asked again of themselves.
    const cut = pod.judge.recheck(facts);
    if (cut) {
      facts.lease.end();
      pod.connections.report(facts, refusalOf(cut));
      pod.connections.dialEnded();
      back.destroy();
      call.refuse("denied");
      return;
    }
    call.answer();
    const { opening } = call;
    pod.connections.carry(permit, { front, back, ...(opening ? { opening } : {}) }, facts);
    pod.connections.dialEnded();
  }
}
